import type { Skip } from './batch.ts';
import type { BatchStore } from './ports.ts';

/** The skipped conversations that are kept in memory, about 10 MB. More are looked up in the database. */
const SKIPPED_KEPT_MAX = 100_000;

/** More than the pages and batches that a slice has in memory at the same time. */
const RECENT_KEPT_MAX = 50_000;

type SkippedStore = Pick<BatchStore, 'skipped' | 'skippedAmong'>;

/**
 * The conversations that an operation has selected already. When the status of a conversation changes, it can come up
 * again behind the position of planning, but a receipt counts each conversation once.
 *
 * Conversations that have moved are not kept: the query leaves them out by their history. A conversation that is being
 * moved is not excluded by its history yet, so the last ones that were selected are kept too.
 */
export class SeenConversations {
  private readonly store: SkippedStore;
  private readonly operationId: string;
  private readonly skipped = new Set<string>();
  private recent = new Set<string>();
  private older = new Set<string>();
  private hasOverflowed = false;

  constructor(store: SkippedStore, operationId: string) {
    this.store = store;
    this.operationId = operationId;
  }

  /** Reads the conversations that earlier slices have skipped. */
  async load(): Promise<void> {
    for (const id of await this.store.skipped(this.operationId, SKIPPED_KEPT_MAX)) this.addSkipped(id);
  }

  /** Returns false when the conversation was selected before. */
  add(id: string): boolean {
    if (this.skipped.has(id) || this.recent.has(id) || this.older.has(id)) return false;
    if (this.recent.size >= RECENT_KEPT_MAX) {
      this.older = this.recent;
      this.recent = new Set();
    }
    this.recent.add(id);
    return true;
  }

  /** Forgets the conversations that were planned and not skipped. Call it when no batch is in flight. */
  forgetPlanned(): void {
    this.recent = new Set();
    this.older = new Set();
  }

  addSkips(skips: readonly Skip[]): void {
    for (const { conversationIds } of skips) for (const id of conversationIds) this.addSkipped(id);
  }

  /** Call it with each page before its conversations are added. It only reads when too many skips are kept. */
  async prepare(page: readonly { readonly id: string }[]): Promise<void> {
    if (!this.hasOverflowed) return;
    const ids = page.map(({ id }) => id);
    for (const id of await this.store.skippedAmong(this.operationId, ids)) this.recent.add(id);
  }

  private addSkipped(id: string): void {
    if (this.skipped.size < SKIPPED_KEPT_MAX) this.skipped.add(id);
    else this.hasOverflowed ||= !this.skipped.has(id);
  }
}
