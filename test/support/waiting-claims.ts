import type { SentClaim } from '../../src/producer/producer-port.ts';
import { CLAIMS_QUEUE } from '../../src/queue/job.ts';
import type { Harness } from './harness.ts';
import { RawQueue } from './raw-queue.ts';
import { until } from './until.ts';

/** Longer than any test, so that no claim ends because of its deadline. */
export const LONG_MS = 3_600_000;

/** Claims that wait for conversations, and what they wait for. */
export class WaitingClaims {
  private readonly harness: Harness;
  private readonly queue: RawQueue;

  constructor(harness: Harness) {
    this.harness = harness;
    this.queue = new RawQueue(harness, CLAIMS_QUEUE);
  }

  /** Sends a claim and waits until its job is snoozed. */
  async send(wanted: { campaignId: string; texterId: string; count: number }): Promise<SentClaim> {
    const { harness } = this;
    const sent = await harness.producer.selfAssign({ operationId: harness.newId('cl'), ...wanted, waitMs: LONG_MS });
    await until(`${sent.operationId} to wait`, () => harness.isWaiting(sent.operationId));
    await until('its job to be snoozed', async () => (await this.queue.job(sent.operationId))?.isDelayed());
    return sent;
  }

  /** Adds conversations to the pool as another program could, and reports the refill. Returns their ids. */
  async refill(campaignId: string, count: number): Promise<string[]> {
    const ids = await this.harness.seedConversations(
      campaignId,
      Array.from({ length: count }, () => ({})),
    );
    await this.harness.producer.poolRefilled(campaignId);
    return ids;
  }

  close(): Promise<void> {
    return this.queue.close();
  }
}
