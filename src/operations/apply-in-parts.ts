import { setTimeout as delay } from 'node:timers/promises';
import { WriteConflict } from '../domain/errors.ts';
import { countConflict, pauseMs } from '../mongo/transaction.ts';
import { countApplied, type Applied, type StoredBatch, type UnappliedBatch } from './batch.ts';
import { countMoves } from './moves.ts';
import type { Operation } from './operation.ts';
import { Overtaken, type Stores } from './ports.ts';
import type { BatchSource } from './batch-source.ts';

/**
 * How long a batch is tried again while it meets other writers and makes no progress. Then its slice ends, so that an
 * operation that waits for another program does not occupy the worker.
 */
const NO_PROGRESS_MS_MAX = 2_000;

/** A smaller transaction would cost more for its commit than it saves when it has to be repeated. */
const SIZE_MIN = 25;
/** The first size. It doubles after each clean transaction until the first conflict. */
const SIZE_START = 250;
const SIZE_SHRINK_FACTOR = 0.5;
/** The growth for each conversation of a clean transaction. With it, about one transaction in seven meets a conflict. */
const SIZE_GROWTH = 0.12;
/** A smaller batch needs more statements for each conversation, because each target needs a statement of its own. */
const BATCH_SIZE_MIN = 1_000;
/** How many times more batches are in flight while transactions are small, because each one waits for its commit. */
const IN_FLIGHT_FACTOR_MAX = 1.5;

/**
 * How long the small operations of a campaign are applied in parts after one could not be moved at once. Claims beside them then
 * see the planned batches and keep away from them; otherwise both would conflict again and again.
 */
const IN_PARTS_MS = 5_000;

/** How many campaigns have their size remembered. Every other campaign begins with the first size. */
const CAMPAIGNS_KEPT_MAX = 1_000;

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

/**
 * The number of conversations that one transaction of a campaign moves. Other programs write conversations at the same
 * time, and one such write makes a whole transaction repeat. So the size shrinks at once after a conflict, and grows
 * slowly while there are none. `npm run bench -- --parts alive` measures the constants.
 */
export class TransactionSize {
  readonly sizeMax: number;
  private readonly sizeMin: number;
  private size: number;
  private hasMetConflict = false;
  private inPartsUntil = 0;

  constructor(sizeMax: number, sizeMin = SIZE_MIN) {
    this.sizeMax = sizeMax;
    this.sizeMin = Math.min(sizeMin, sizeMax);
    this.size = Math.min(SIZE_START, sizeMax);
  }

  get current(): number {
    return Math.floor(this.size);
  }

  /** How many conversations to plan for a batch. A batch that does not fit into one transaction is written in parts. */
  get ofBatch(): number {
    return Math.min(this.sizeMax, Math.max(this.current, BATCH_SIZE_MIN));
  }

  /** The new size depends on the size of the failed transaction, so several failures of one size shrink it once. */
  shrink(conflictingSize: number): void {
    this.hasMetConflict = true;
    this.size = Math.max(this.sizeMin, Math.min(this.size, conflictingSize * SIZE_SHRINK_FACTOR));
  }

  grow(cleanSize: number): void {
    const growth = this.hasMetConflict ? SIZE_GROWTH : 1;
    this.size = Math.min(this.sizeMax, this.size + Math.min(cleanSize, this.size) * growth);
  }

  /** False for a while after an operation could not be moved and ended at once. */
  get mayTryAtOnce(): boolean {
    return performance.now() >= this.inPartsUntil;
  }

  noteNotAtOnce(): void {
    this.inPartsUntil = performance.now() + IN_PARTS_MS;
  }

  /** Returns how many batches to apply at the same time, of the number that is right for the full size. */
  batchesInFlight(withFullSize: number): number {
    const factor = Math.min(this.sizeMax / this.size, IN_FLIGHT_FACTOR_MAX);
    return Math.floor(withFullSize * factor);
  }
}

/** The sizes of the campaigns that one worker process has worked on lately. */
export class TransactionSizes {
  private readonly sizeMax: number;
  private readonly sizes = new Map<string, TransactionSize>();

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
  }

  of(campaignId: string): TransactionSize {
    const size = this.sizes.get(campaignId) ?? new TransactionSize(this.sizeMax);
    this.sizes.delete(campaignId);
    this.sizes.set(campaignId, size);
    const [oldest] = this.sizes.keys();
    if (this.sizes.size > CAMPAIGNS_KEPT_MAX && oldest !== undefined) this.sizes.delete(oldest);
    return size;
  }
}
