import type { BusyCampaign } from './busy-campaign.ts';
import type { Writer } from './writers.ts';

/** The longest that a request may wait beside another writer on a machine that does much else. */
export const WAIT_MS_MAX = 10_000;

/** Lets two writers work on a campaign at the same time. Resolves when both have ended. */
export async function writeTogether(campaign: BusyCampaign, writers: readonly [Writer, Writer]): Promise<void> {
  for (const { prepare } of writers) await prepare?.(campaign);
  const [first, second] = writers.map((writer) => new Side(campaign, writer)) as [Side, Side];
  const ended = await Promise.allSettled([first.workBeside(second), second.workBeside(first)]);
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
}

class Side {
  private readonly campaign: BusyCampaign;
  private readonly writer: Writer;
  private hasEnded = false;

  constructor(campaign: BusyCampaign, writer: Writer) {
    this.campaign = campaign;
    this.writer = writer;
  }

  /** Two writers that repeat their requests do not wait for each other. */
  async workBeside(other: Side): Promise<void> {
    const isOver = (): boolean => other.hasEnded || other.writer.repeats === true;
    try {
      await this.writer.write(this.campaign, isOver);
    } finally {
      this.hasEnded = true;
    }
  }
}
