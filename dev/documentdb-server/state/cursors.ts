import { CODE, CommandError } from '../errors.js';
import { CURSOR_IDLE_MS, CURSORS_MAX } from '../limits.js';

/** Where a cursor stands: DocumentDB keeps its rest in the continuation (and a file), so any connection may go on. */
export interface Cursor {
  readonly id: bigint;
  readonly db: string;
  readonly session: string | undefined;
  /** Set for a cursor opened inside a transaction: it sees, and dies with, that transaction. */
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
      throw new CommandError(CODE.exceededMemoryLimit, `more than ${CURSORS_MAX} open cursors`);
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

  /** True where there was one. */
  remove(id: bigint): boolean {
    return this.#open.delete(id);
  }

  /** Removes a session's cursors; with `txnNumber`, only those of that transaction. */
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

  #removeWhere(doomed: (cursor: Cursor) => boolean): bigint[] {
    const ids: bigint[] = [];
    for (const cursor of this.#open.values()) {
      if (!doomed(cursor)) continue;
      this.#open.delete(cursor.id);
      ids.push(cursor.id);
    }
    return ids;
  }
}
