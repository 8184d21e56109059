import { audit } from '../../support/audit/audit.ts';
import type { Harness } from '../../support/harness.ts';
import { rawOperations } from '../../support/raw.ts';
import { BusyCampaign, type Wait } from './busy-campaign.ts';
import { claimsWronglyShort } from './short-claims.ts';
import type { Writer } from './writers.ts';

export interface PairOptions {
  readonly conversations: number;
  readonly randomSeed: number;
  /** The longest that a request may wait. Beside an update of the whole campaign: after that has ended. */
  readonly waitMsMax: number;
}

/** What a pair of writers must not do. Every list is empty after a good run. */
export interface PairFaults {
  /** One sentence for each violation of the audit. */
  readonly violations: readonly string[];
  readonly unexpectedRefusals: readonly string[];
  readonly longWaits: readonly Wait[];
  /** The operations whose receipts count more conversations than the campaign has. */
  readonly countedTwice: readonly string[];
  /** The claims that ended with `none-left` while the pool had conversations for them. */
  readonly claimsWronglyShort: readonly string[];
}

export const NO_FAULTS: PairFaults = {
  violations: [],
  unexpectedRefusals: [],
  longWaits: [],
  countedTwice: [],
  claimsWronglyShort: [],
};

/** Lets two writers work on a new campaign at the same time. When both have ended, it checks everything with raw queries. */
export async function runPair(
  harness: Harness,
  pair: readonly [Writer, Writer],
  { conversations, randomSeed, waitMsMax }: PairOptions,
): Promise<PairFaults> {
  const campaign = await BusyCampaign.seed(harness, conversations, randomSeed);
  await writeTogether(campaign, pair);
  const isOutside = pair.some((writer) => writer.isOutside);
  const changedOutside = isOutside || pair.some(({ causes }) => causes !== undefined);
  const { violations } = await audit(harness, [campaign], campaign.sent, { changedOutside });
  const allowed = new Set<string>(pair.flatMap(({ refusals = [], causes = [] }) => [...refusals, ...causes]));
  const operations = await rawOperations(harness, campaign.campaignId);
  return {
    violations,
    unexpectedRefusals: campaign.refusals.filter((code) => !allowed.has(code)),
    longWaits: campaign.waits.filter(({ waitedMs }) => waitedMs > waitMsMax),
    countedTwice: operations
      .filter(({ receipt }) => (receipt?.selected ?? 0) > campaign.assignees.size)
      .map(({ _id }) => _id),
    claimsWronglyShort: isOutside ? [] : await claimsWronglyShort(campaign),
  };
}

async function writeTogether(campaign: BusyCampaign, writers: readonly [Writer, Writer]): Promise<void> {
  for (const { prepare } of writers) await prepare?.(campaign);
  const [first, second] = [new Side(campaign, writers[0]), new Side(campaign, writers[1])];
  const ended = await Promise.allSettled([first.workBeside(second), second.workBeside(first)]);
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
}

/** One of the two writers at work. */
class Side {
  private readonly campaign: BusyCampaign;
  private readonly writer: Writer;
  private hasEnded = false;
  private hasSentEnough = false;

  constructor(campaign: BusyCampaign, writer: Writer) {
    this.campaign = campaign;
    this.writer = writer;
  }

  async workBeside(other: Side): Promise<void> {
    try {
      await this.writer.write(this.campaign, () => this.isEnoughBeside(other));
    } finally {
      this.hasEnded = true;
    }
  }

  /** A writer that repeats its requests asks this when it has sent enough of them. Two such writers end together. */
  private isEnoughBeside(other: Side): boolean {
    if (this.writer.repeats) this.hasSentEnough = true;
    return other.hasEnded || other.hasSentEnough;
  }
}
