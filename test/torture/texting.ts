import { setTimeout as sleep } from 'node:timers/promises';
import { Types } from 'mongoose';
import { STATUSES } from '../../src/domain/conversation.ts';
import type { SeededCampaign } from '../support/audit-history.ts';
import type { Harness } from '../support/harness.ts';
import type { Random } from '../support/random.ts';

const REST_MS = 2;

/** Texters at work: another program writes to the same conversations, and knows nothing of Baton. */
export class Texting {
  /** Status changes that came through. */
  changes = 0;
  private readonly harness: Harness;
  private readonly random: Random;
  private readonly ids: readonly string[];
  private working: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(harness: Harness, random: Random, campaigns: readonly SeededCampaign[]) {
    this.harness = harness;
    this.random = random;
    this.ids = campaigns.flatMap(({ assignees }) => [...assignees.keys()]);
  }

  start(): void {
    this.working = this.work();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.working;
  }

  private async work(): Promise<void> {
    while (!this.stopped) {
      // The database may be away, or Baton be quicker: another conversation, then.
      await this.change().catch(() => undefined);
      await sleep(REST_MS);
    }
  }

  private async change(): Promise<void> {
    const [id, status] = [this.random.pick(this.ids), this.random.pick(STATUSES)];
    const changed = { $set: { status, waitingSince: new Date() } };
    const { modifiedCount } = await this.harness.context.database.conversations.updateOne(
      { _id: new Types.ObjectId(id) },
      changed,
    );
    this.changes += modifiedCount;
  }
}
