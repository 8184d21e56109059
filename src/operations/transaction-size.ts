/** A smaller transaction would cost more for its commit than it saves when it has to be repeated. */
const SIZE_MIN = 25;
const SHRINK_FACTOR = 0.5;
/** The growth for each conversation of a transaction that met no conflict. */
const GROWTH = 0.05;
/** How many times more batches are in flight while transactions are small, because each one waits for its commit. */
const IN_FLIGHT_FACTOR_MAX = 3;

/** The campaigns whose sizes are remembered. Older ones start again with the full size. */
const CAMPAIGNS_MAX = 1_000;

/**
 * The number of conversations that one transaction of a campaign moves. Other programs write conversations at the same
 * time, and one such write makes a whole transaction repeat. So the size shrinks at once after a conflict, and grows
 * slowly while there are none.
 */
export class TransactionSize {
  readonly sizeMax: number;
  private readonly sizeMin: number;
  private size: number;

  constructor(sizeMax: number, sizeMin = SIZE_MIN) {
    this.sizeMax = sizeMax;
    this.sizeMin = Math.min(sizeMin, sizeMax);
    this.size = sizeMax;
  }

  get current(): number {
    return Math.floor(this.size);
  }

  /** How many conversations to plan for a batch. A batch that fits into one transaction is written once. */
  get ofBatch(): number {
    return this.current;
  }

  /** Several transactions of the same size can meet the same writer. Together they shrink the size only once. */
  shrink(conflictingSize: number): void {
    this.size = Math.max(this.sizeMin, Math.min(this.size, conflictingSize * SHRINK_FACTOR));
  }

  grow(cleanSize: number): void {
    this.size = Math.min(this.sizeMax, this.size + Math.min(cleanSize, this.size) * GROWTH);
  }

  /** Returns how many batches to apply at the same time: together as many conversations as with the full size. */
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
