import { hasGoneBack } from '../domain/database-age.ts';
import type { Clock } from '../domain/operation.ts';
import type { WentBack } from '../queue/queue-owner.ts';
import type { QueueMemory, ReconcileStore } from './ports.ts';

export interface AgeDeps {
  readonly reconcileStore: Pick<ReconcileStore, 'countPass' | 'knownAmong'>;
  readonly memory: QueueMemory;
  readonly clock: Clock;
}

/** The database has gone back, and so many answers in Redis were about operations that it does not know. */
export interface Return extends WentBack {
  readonly answersForgotten: number;
}

/**
 * Finds out whether the database has gone back to an earlier state, such as a backup, since the last pass. What MongoDB has
 * decides, so Redis then forgets the answers of which MongoDB knows nothing. Returns `undefined` when it has not gone back.
 */
export async function checkAge({ reconcileStore, memory, clock }: AgeDeps): Promise<Return | undefined> {
  // Each pass is stored in MongoDB first. So what is read from Redis first is not newer than what MongoDB has.
  const seen = await memory.readAge();
  const counted = await reconcileStore.countPass();
  if (!counted) return undefined;
  const { before, after } = counted;
  if (!seen || !hasGoneBack(seen, before)) {
    await memory.noteAge(after, null);
    return undefined;
  }
  const wentBack = { noticedAt: clock.now(), to: before?.at ?? null, from: seen.at };
  const answersForgotten = await memory.forgetUnknown((operationIds) => reconcileStore.knownAmong(operationIds));
  await memory.noteAge(after, wentBack);
  return { ...wentBack, answersForgotten };
}
