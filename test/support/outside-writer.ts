import { setImmediate as nextMacrotask } from 'node:timers/promises';
import type { Types } from 'mongoose';
import { STATUSES } from '../../src/domain/conversation.ts';
import type { Harness } from './harness.ts';
import type { Random } from './random.ts';

/** Writes to conversations and texters at random, as other programs do while operations run. */
export class OutsideWriter {
  private readonly harness: Harness;
  private readonly random: Random;
  private readonly campaignIds: readonly string[];
  private readonly texterIds: readonly string[];
  private stopped = false;
  private work: Promise<void> | undefined;
  private assignments = 0;

  constructor(of: { harness: Harness; random: Random; campaignIds: readonly string[]; texterIds: readonly string[] }) {
    this.harness = of.harness;
    this.random = of.random;
    this.campaignIds = of.campaignIds;
    this.texterIds = of.texterIds;
  }

  start(): void {
    this.work = this.writeUntilStopped();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  private async writeUntilStopped(): Promise<void> {
    while (!this.stopped) {
      const campaignId = this.random.pick(this.campaignIds);
      const choice = this.random.next();
      if (choice < 0.5) await this.changeStatus(campaignId);
      else if (choice < 0.65) await this.changeOptOut(campaignId);
      else if (choice < 0.75) await this.pauseOrResume(campaignId);
      else await this.assign(campaignId);
      await nextMacrotask();
    }
  }

  private randomConversation(campaignId: string): Promise<{ _id: Types.ObjectId } | null> {
    const skip = this.random.between(0, 150);
    return this.harness.context.database.conversations.findOne({ campaignId }, { skip });
  }

  private async changeStatus(campaignId: string): Promise<void> {
    const found = await this.randomConversation(campaignId);
    if (!found) return;
    const $set = { status: this.random.pick(STATUSES), waitingSince: new Date() };
    await this.harness.context.database.conversations.updateOne({ _id: found._id }, { $set });
  }

  private async changeOptOut(campaignId: string): Promise<void> {
    const found = await this.randomConversation(campaignId);
    if (!found) return;
    const $set = { optedOut: this.random.chance(0.5) };
    await this.harness.context.database.conversations.updateOne({ _id: found._id }, { $set });
  }

  private async pauseOrResume(campaignId: string): Promise<void> {
    await this.harness.pause(campaignId, this.random.pick(this.texterIds), this.random.chance(0.7));
  }

  /** Assigns a conversation of the pool with a guarded write and an entry in its history. */
  private async assign(campaignId: string): Promise<void> {
    const to = this.random.pick(this.texterIds);
    this.assignments += 1;
    const operationId = `outside-${this.assignments}`;
    await this.harness.context.database.conversations.updateOne(
      { campaignId, assigneeId: null, status: this.random.pick(STATUSES) },
      {
        $set: { assigneeId: to, lastOperationId: operationId, assignedAt: new Date() },
        $inc: { assignmentVersion: 1 },
        $push: { history: { operationId, from: null, to, at: new Date(), by: null } },
      },
    );
  }
}
