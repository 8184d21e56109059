/** A smaller transaction would cost more for its commit than it saves when it has to be repeated. */
const SIZE_MIN = 25;
/** The first size. It doubles after each clean transaction until the first conflict. */
const SIZE_START = 250;
const SHRINK_FACTOR = 0.5;
/** The growth for each conversation of a clean transaction. With it, about one transaction in seven meets a conflict. */
const GROWTH = 0.12;
/** A smaller batch needs more statements for each conversation, because each target needs a statement of its own. */
const BATCH_SIZE_MIN = 1_000;
/** How many times more batches are in flight while transactions are small, because each one waits for its commit. */
const IN_FLIGHT_FACTOR_MAX = 1.5;

/**
 * How long the small operations of a campaign are applied in parts after one could not be moved at once. Claims beside them then
 * see the planned batches and keep away from them; otherwise both would conflict again and again.
 */
const IN_PARTS_MS = 5_000;

/** The campaigns whose sizes are remembered. Other campaigns begin with the size of the start. */
const CAMPAIGNS_MAX = 1_000;

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
    this.size = Math.max(this.sizeMin, Math.min(this.size, conflictingSize * SHRINK_FACTOR));
  }

  grow(cleanSize: number): void {
    const growth = this.hasMetConflict ? GROWTH : 1;
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
    if (this.sizes.size > CAMPAIGNS_MAX && oldest !== undefined) this.sizes.delete(oldest);
    return size;
  }
}
