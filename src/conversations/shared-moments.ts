import type { ConversationStore, Moment, OpenMoment } from './ports.ts';
import { isPermanent } from '../domain/errors.ts';
import { atAnyMoment } from '../mongo/transaction.ts';

interface SharedMoment extends OpenMoment {
  readonly openedAt: number;
  /** The first read, which chooses the moment. */
  readonly counted: Promise<unknown>;
  /** The reads that have not ended. */
  users: number;
}

/**
 * Lets reads of one campaign that begin within the same time see the same moment, so that they share its counts and agree
 * with each other. An answer can be as old as this time: it must say for which moment it holds ({@link Moment.at}).
 */
export class SharedMoments {
  private readonly conversations: ConversationStore;
  private readonly sharedForMs: number;
  private readonly moments = new Map<string, SharedMoment>();

  /** `sharedForMs` of 0 gives each read a moment of its own. */
  constructor(conversations: ConversationStore, sharedForMs: number) {
    this.conversations = conversations;
    this.sharedForMs = sharedForMs;
  }

  /** Runs `read` again, at a later moment, when the server no longer has the moment. */
  read<Result>(campaignId: string, read: (moment: Moment) => Promise<Result>): Promise<Result> {
    if (this.sharedForMs === 0) return this.conversations.atOneMoment(read);
    return atAnyMoment(() => this.readOnce(campaignId, read));
  }

  private async readOnce<Result>(campaignId: string, read: (moment: Moment) => Promise<Result>): Promise<Result> {
    const shared = this.current(campaignId);
    shared.users += 1;
    try {
      await shared.counted;
      return await read(shared.moment);
    } catch (error) {
      if (!isPermanent(error)) this.forget(campaignId, shared);
      throw error;
    } finally {
      shared.users -= 1;
      await this.closeUnused(campaignId, shared);
    }
  }

  private current(campaignId: string): SharedMoment {
    const known = this.moments.get(campaignId);
    if (known && performance.now() - known.openedAt < this.sharedForMs) return known;
    const opened = this.conversations.openMoment();
    const counted = opened.moment.countByAssignee(campaignId);
    // Each read awaits it too.
    counted.catch(() => undefined);
    const shared = { ...opened, counted, openedAt: performance.now(), users: 0 };
    this.moments.set(campaignId, shared);
    setTimeout(() => {
      this.forget(campaignId, shared);
      void this.closeUnused(campaignId, shared);
    }, this.sharedForMs).unref();
    return shared;
  }

  private forget(campaignId: string, shared: SharedMoment): void {
    if (this.moments.get(campaignId) === shared) this.moments.delete(campaignId);
  }

  /** A moment costs the server memory, so it is closed as soon as it is not shared any more and all its reads have ended. */
  private async closeUnused(campaignId: string, shared: SharedMoment): Promise<void> {
    if (shared.users > 0 || this.moments.get(campaignId) === shared) return;
    await shared.close().catch(() => undefined);
  }
}
