import { hasGoneBack } from '../domain/database-age.ts';
import type { Clock } from '../domain/operation.ts';
import type { KnownAmong } from '../queue/ended-jobs.ts';
import type { WentBack } from '../queue/queue-owner.ts';
import type { QueueMemory, ReconcileStore } from './ports.ts';

export interface AgeDeps {
  readonly reconcileStore: Pick<ReconcileStore, 'countPass' | 'knownAmong'>;
  readonly memory: QueueMemory;
  readonly clock: Clock;
}

/** A backup is put back collection by collection. For so long, later passes find what the first one took for known. */
const FORGETTING_MS = 600_000;

export interface AgeReport {
  /** `null` when the database has not gone back since the last pass. */
  readonly wentBack: WentBack | null;
  /** The answers in Redis about operations that the database does not know. */
  readonly answersForgotten: number;
}

/**
 * Finds out whether the database has gone back to an earlier state, such as a backup, since the last pass. What MongoDB has
 * decides, so Redis then forgets the answers of which MongoDB knows nothing.
 */
export async function checkAge({ reconcileStore, memory, clock }: AgeDeps): Promise<AgeReport> {
  // Redis is read before MongoDB, so its age is never ahead of a healthy database.
  const { age: seen = null, wentBack: last = null } = (await memory.read()) ?? {};
  const counted = await reconcileStore.countPass();
  if (!counted) return { wentBack: null, answersForgotten: 0 };
  const { before, after } = counted;
  const noticedAt = clock.now();
  const wentBack = seen && hasGoneBack(seen, before) ? { noticedAt, to: before?.at ?? null, from: seen.at } : null;
  // Stored first: if forgetting fails, the next passes do it.
  if (seen && wentBack) await memory.noteAge(seen, wentBack);
  const isForgetting = last !== null && noticedAt.getTime() - last.noticedAt.getTime() < FORGETTING_MS;
  const knownAmong: KnownAmong = (operationIds) => reconcileStore.knownAmong(operationIds);
  const answersForgotten = wentBack || isForgetting ? await memory.forgetUnknown(knownAmong) : 0;
  await memory.noteAge(after, wentBack);
  return { wentBack, answersForgotten };
}
