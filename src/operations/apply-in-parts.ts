import { setTimeout as delay } from 'node:timers/promises';
import { pauseMs } from '../domain/backoff.ts';
import { WriteConflict } from '../domain/errors.ts';
import { countConflict } from '../telemetry/index.ts';
import { countApplied, countMoves, type Applied, type StoredBatch, type UnappliedBatch } from './batch.ts';
import type { OperationRequest } from './contract.ts';
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
  readonly request: OperationRequest;
  readonly source: BatchSource;
  readonly size: TransactionSize;
  /** Called after each part, with the number of conversations that it moved. */
  readonly onApplied: (applied: Applied, movedCount: number) => void;
  readonly onConflict: () => void;
}

/**
 * Applies a batch in as many transactions as the size asks for; usually one. Each transaction is one attempt of the store.
 * After a conflict the next attempt takes fewer conversations.
 */
export async function applyInParts(deps: PartsDeps, planned: UnappliedBatch): Promise<void> {
  let batch: StoredBatch = { ...planned, state: 'planned' };
  let conflicts = 0;
  let progressAt = performance.now();
  while (batch.state === 'planned') {
    await refuseStopped(deps);
    const sizeMax = deps.size.current;
    const partSize = Math.min(sizeMax, countMoves(batch.moves) - countApplied(batch));
    try {
      batch = await applyPart(deps, batch, sizeMax);
      deps.size.grow(partSize);
      conflicts = 0;
      progressAt = performance.now();
    } catch (error) {
      if (!(error instanceof WriteConflict) || performance.now() - progressAt > NO_PROGRESS_MS_MAX) throw error;
      conflicts += 1;
      deps.size.shrink(partSize);
      deps.onConflict();
      countConflict('batch');
      await delay(pauseMs(conflicts));
    }
  }
}

async function applyPart(
  { stores, request, source, onApplied }: PartsDeps,
  batch: StoredBatch,
  sizeMax: number,
): Promise<StoredBatch> {
  const options = { guard: source.guard, sizeMax, asPlanned: source.readsConversations };
  const applied = await stores.batches.apply(batch, request, options);
  onApplied(applied, countApplied(applied.batch) - countApplied(batch));
  return applied.batch;
}

/**
 * Checks for a recorded failure or cancellation before each part. Otherwise workers could write parts faster than the
 * canceller can close the list of batches.
 */
async function refuseStopped({ stores, request: { operationId } }: PartsDeps): Promise<void> {
  if (!(await stores.operations.isStopped(operationId))) return;
  throw new Overtaken(`operation ${operationId} has been stopped`);
}
