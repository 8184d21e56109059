import { setTimeout as sleep } from 'node:timers/promises';
import { Types } from 'mongoose';
import { STATUSES } from '../../src/domain/conversation.ts';
import type { SeededCampaign } from '../support/audit/records.ts';
import type { Harness } from '../support/harness.ts';
import type { Random } from '../support/random.ts';

const PAUSE_MS = 2;

/** Changes the status of random conversations, as the program in which texters work does. */
export class StatusChanges {
  count = 0;
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
    this.working = this.changeUntilStopped();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.working;
  }

  private async changeUntilStopped(): Promise<void> {
    while (!this.stopped) {
      // A change may fail because the database is down or because of a write conflict. The next one is another change.
      await this.change().catch(() => undefined);
      await sleep(PAUSE_MS);
    }
  }

  private async change(): Promise<void> {
    const [id, status] = [this.random.pick(this.ids), this.random.pick(STATUSES)];
    const { conversations } = this.harness.context.database;
    const $set = { status, waitingSince: new Date() };
    const { modifiedCount } = await conversations.updateOne({ _id: new Types.ObjectId(id) }, { $set });
    this.count += modifiedCount;
  }
}
