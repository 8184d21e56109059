import { CODE, CommandError } from '../errors.js';
import { CURSOR_IDLE_MS, CURSORS_MAX } from '../limits.js';

/** The position of a cursor. DocumentDB stores the rest in a file, so any connection can continue the cursor. */
export interface Cursor {
  readonly id: bigint;
  readonly db: string;
  readonly session: string | undefined;
  /** Set for a cursor of a transaction. It reads in the transaction and closes with it. */
  readonly txnNumber: bigint | undefined;
  continuation: Buffer;
  lastUsedAt: number;
}

export class Cursors {
  readonly #open = new Map<bigint, Cursor>();

  get openCount(): number {
    return this.#open.size;
  }

  add(cursor: Omit<Cursor, 'lastUsedAt'>): void {
    if (this.#open.size >= CURSORS_MAX)
      throw new CommandError(CODE.exceededMemoryLimit, `${CURSORS_MAX} cursors are already open`);
    this.#open.set(cursor.id, { ...cursor, lastUsedAt: Date.now() });
  }

  find(id: bigint): Cursor {
    const cursor = this.#open.get(id);
    if (cursor === undefined) throw new CommandError(CODE.cursorNotFound, `cursor id ${id} not found`);
    cursor.lastUsedAt = Date.now();
    return cursor;
  }

  has(id: bigint): boolean {
    return this.#open.has(id);
  }

  /** Returns whether the cursor existed. */
  remove(id: bigint): boolean {
    return this.#open.delete(id);
  }

  /** Removes the cursors of a session, or only those of the transaction `txnNumber`. */
  removeOf(session: string, txnNumber?: bigint): bigint[] {
    return this.#removeWhere(
      (cursor) => cursor.session === session && (txnNumber === undefined || cursor.txnNumber === txnNumber),
    );
  }

  removeIdle(now: number): bigint[] {
    return this.#removeWhere((cursor) => now - cursor.lastUsedAt > CURSOR_IDLE_MS);
  }

  removeAll(): bigint[] {
    return this.#removeWhere(() => true);
  }

  #removeWhere(matches: (cursor: Cursor) => boolean): bigint[] {
    const ids: bigint[] = [];
    for (const cursor of this.#open.values()) {
      if (!matches(cursor)) continue;
      this.#open.delete(cursor.id);
      ids.push(cursor.id);
    }
    return ids;
  }
}
