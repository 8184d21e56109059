import type { ConversationRange, ConversationStore } from '../conversations/index.ts';
import { CLAIMED_STATUS, positionOf, type Candidate, type Position } from '../domain/conversation.ts';

/**
 * Reads pages for the planner and records how far it has read the part of the pool that claims receive. Pages are read
 * before they are planned. A claim that took such a conversation would make its batch fall short.
 */
export class ReadAhead implements Pick<ConversationStore, 'readPage'> {
  private readonly store: Pick<ConversationStore, 'readPage'>;
  private readonly takesFromPool: boolean;
  private last: Position | null = null;
  private reading: Promise<unknown> = Promise.resolve();

  constructor(store: Pick<ConversationStore, 'readPage'>, takesFromPool: boolean) {
    this.store = store;
    this.takesFromPool = takesFromPool;
  }

  readPage(range: ConversationRange, after: Position | null, limit: number, operationId: string): Promise<Candidate[]> {
    const page = this.store.readPage(range, after, limit, operationId);
    const hasPool = range.assigneeId === null || range.assigneeId === undefined;
    if (this.takesFromPool && hasPool && range.status === CLAIMED_STATUS) {
      // The reader of the page handles an error.
      this.reading = page.then((candidates) => this.note(candidates)).catch(() => undefined);
    }
    return page;
  }

  /** Returns the last conversation of the pool that was read, after the page that is being read has arrived. */
  async position(): Promise<Position | null> {
    await this.reading;
    return this.last;
  }

  private note(page: readonly Candidate[]): void {
    const last = page.at(-1);
    if (last) this.last = positionOf(last);
  }
}
