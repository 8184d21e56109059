import { setTimeout as delay } from 'node:timers/promises';
import { pauseMs } from '../domain/backoff.ts';
import { WriteConflict } from '../domain/errors.ts';
import { countConflict } from '../telemetry/index.ts';
import { countApplied, type Applied, type StoredBatch, type UnappliedBatch } from './batch.ts';
import { countMoves } from './moves.ts';
import type { Operation } from './operation.ts';
import { Overtaken, type Stores } from './ports.ts';
import type { BatchSource } from './batch-source.ts';
import type { TransactionSize } from './transaction-size.ts';

/**
 * How long a batch is tried again while it meets other writers and makes no progress. Then its slice ends, so that an
 * operation that waits for another program does not occupy the worker.
 */
const NO_PROGRESS_MS_MAX = 2_000;

export interface PartsDeps {
  readonly stores: Stores;
  readonly operation: Operation;
  readonly source: BatchSource;
  readonly size: TransactionSize;
  readonly shouldStop: () => boolean;
  /** Called after each part, with the number of conversations that it moved. */
  readonly onApplied: (applied: Applied, movedCount: number) => void;
  readonly onConflict: () => void;
}

/**
 * Applies a batch in as many transactions as the size asks for. Each transaction is one attempt of the store. After a
 * conflict the next attempt takes fewer conversations. Returns false when `shouldStop` ended it between two parts.
 */
export async function applyInParts(deps: PartsDeps, planned: UnappliedBatch): Promise<boolean> {
  let batch: StoredBatch = { ...planned, state: 'planned' };
  let conflicts = 0;
  let progressAt = performance.now();
  for (;;) {
    await refuseStopped(deps);
    const sizeMax = deps.size.current;
    const partSize = Math.min(sizeMax, countMoves(batch.moves) - countApplied(batch));
    try {
      batch = await applyPart(deps, batch, sizeMax);
      deps.size.grow(partSize);
      if (batch.state !== 'planned') return true;
      if (deps.shouldStop()) return false;
      conflicts = 0;
      progressAt = performance.now();
    } catch (error) {
      if (!(error instanceof WriteConflict) || performance.now() - progressAt > NO_PROGRESS_MS_MAX) throw error;
      conflicts += 1;
      noteConflict(deps, sizeMax);
      await delay(pauseMs(conflicts));
    }
  }
}

/** Takes note of a transaction that met another writer. The next one is smaller. */
export function noteConflict({ size, onConflict }: PartsDeps, conflictingSize: number): void {
  size.shrink(conflictingSize);
  onConflict();
  countConflict('batch');
}

async function applyPart(
  { stores, operation, source, onApplied }: PartsDeps,
  batch: StoredBatch,
  sizeMax: number,
): Promise<StoredBatch> {
  const options = { guard: source.guard, sizeMax, asPlanned: source.triesAsPlanned };
  const applied = await stores.batches.apply(batch, operation.request, options);
  onApplied(applied, countApplied(applied.batch) - countApplied(batch));
  return applied.batch;
}

/**
 * Checks for a recorded failure or cancellation before each part. Without the check, each part would conflict with the
 * write that closes the list of batches, and the cancellation would be repeated again and again.
 */
async function refuseStopped({ stores, operation }: PartsDeps): Promise<void> {
  if (!(await stores.operations.isStopped(operation))) return;
  throw new Overtaken(`operation ${operation.operationId} has been stopped`);
}
