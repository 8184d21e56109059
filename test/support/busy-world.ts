import { setImmediate as otherwise } from 'node:timers/promises';
import type { Status } from '../../src/domain/conversation.ts';
import type { Harness } from './harness.ts';
import type { Random } from './random.ts';

const ALL_STATUSES: readonly Status[] = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'];

/** What goes on beside the operations: contacts write and opt out, texters come and go, somebody else's program assigns. */
export class BusyWorld {
  private readonly harness: Harness;
  private readonly random: Random;
  private readonly campaignIds: readonly string[];
  private readonly texterIds: readonly string[];
  private stopped = false;
  private work: Promise<void> | undefined;
  private grabs = 0;

  constructor(of: { harness: Harness; random: Random; campaignIds: readonly string[]; texterIds: readonly string[] }) {
    this.harness = of.harness;
    this.random = of.random;
    this.campaignIds = of.campaignIds;
    this.texterIds = of.texterIds;
  }

  start(): void {
    this.work = this.turn();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  private async turn(): Promise<void> {
    while (!this.stopped) {
      const campaignId = this.random.pick(this.campaignIds);
      const what = this.random.next();
      if (what < 0.5) await this.write(campaignId);
      else if (what < 0.65) await this.optOut(campaignId);
      else if (what < 0.75) await this.comeAndGo(campaignId);
      else await this.grab(campaignId);
      await otherwise();
    }
  }

  /** Anyone of the campaign: the first after a random point in the order of ids. */
  private async anyone(campaignId: string): Promise<{ _id: never } | null> {
    const skip = this.random.between(0, 150);
    return this.harness.context.database.conversations.findOne<{ _id: never }>({ campaignId }, { skip });
  }

  private async write(campaignId: string): Promise<void> {
    const someone = await this.anyone(campaignId);
    if (!someone) return;
    const $set = { status: this.random.pick(ALL_STATUSES), waitingSince: new Date() };
    await this.harness.context.database.conversations.updateOne({ _id: someone._id }, { $set });
  }

  private async optOut(campaignId: string): Promise<void> {
    const someone = await this.anyone(campaignId);
    if (!someone) return;
    const $set = { optedOut: this.random.chance(0.5) };
    await this.harness.context.database.conversations.updateOne({ _id: someone._id }, { $set });
  }

  private async comeAndGo(campaignId: string): Promise<void> {
    await this.harness.pause(campaignId, this.random.pick(this.texterIds), this.random.chance(0.7));
  }

  /** A guarded write as another program would make it, with its own entry in the history. */
  private async grab(campaignId: string): Promise<void> {
    const to = this.random.pick(this.texterIds);
    this.grabs += 1;
    const operationId = `grab-${this.grabs}`;
    await this.harness.context.database.conversations.updateOne(
      { campaignId, assigneeId: null, status: this.random.pick(ALL_STATUSES) },
      {
        $set: { assigneeId: to, lastOperationId: operationId, assignedAt: new Date() },
        $inc: { assignmentVersion: 1 },
        $push: { history: { operationId, from: null, to, at: new Date(), by: null } },
      },
    );
  }
}
