import type { mongo } from 'mongoose';
import type { Workload } from '../domain/claim.ts';
import type { RoundFacts } from '../domain/claim-round.ts';
import type { Status } from '../domain/conversation.ts';
import type { Database } from './connect.ts';
import type { CampaignDoc } from './documents.ts';
import { HELD_INDEX } from './models.ts';

/** What a round needs to know of its campaign. */
export type RuledCampaign = Pick<CampaignDoc, 'closed' | 'selfAssign' | 'waitingCount'>;

/** Reads what the rules of self-assign look at, in the transaction of a round. */
export class ClaimFacts {
  private readonly database: Database;
  private readonly session: mongo.ClientSession;
  private readonly campaignId: string;

  constructor(database: Database, session: mongo.ClientSession, campaignId: string) {
    this.database = database;
    this.session = session;
    this.campaignId = campaignId;
  }

  async readCampaign(): Promise<RuledCampaign | undefined> {
    const { session, campaignId } = this;
    const projection = { closed: 1, selfAssign: 1, waitingCount: 1 };
    const filter = { _id: campaignId };
    return (await this.database.campaigns.findOne<RuledCampaign>(filter, { session, projection })) ?? undefined;
  }

  async read(campaign: RuledCampaign | undefined, texterIds: readonly string[]): Promise<RoundFacts> {
    return {
      campaign,
      texters: await this.touchTexters(texterIds),
      workloads: await this.readWorkloads(texterIds),
    };
  }

  /** Writes each texter's row; when some are not active, looks which. */
  private async touchTexters(texterIds: readonly string[]): Promise<Map<string, boolean>> {
    const { session, campaignId } = this;
    const filter = { campaignId, texterId: { $in: [...texterIds] } };
    const active = { ...filter, active: true };
    const touched = await this.database.texters.updateMany(active, { $inc: { claimRounds: 1 } }, { session });
    if (touched.matchedCount === texterIds.length) return new Map(texterIds.map((id) => [id, true]));
    const known = await this.database.texters.find(filter, { session }).toArray();
    return new Map(known.map((texter) => [texter.texterId, texter.active]));
  }

  private async readWorkloads(texterIds: readonly string[]): Promise<Map<string, Workload>> {
    const statuses: Status[] = ['not-started', 'needs-reply'];
    const counted = this.database.conversations.aggregate<{ _id: { texterId: string; status: Status }; count: number }>(
      [
        { $match: { campaignId: this.campaignId, assigneeId: { $in: texterIds }, status: { $in: statuses } } },
        { $group: { _id: { texterId: '$assigneeId', status: '$status' }, count: { $sum: 1 } } },
      ],
      { session: this.session, hint: HELD_INDEX },
    );
    const workloads = new Map<string, Workload>();
    for (const { _id, count } of await counted.toArray()) {
      const before = workloads.get(_id.texterId) ?? { notStarted: 0, needsReply: 0 };
      const kind = _id.status === 'not-started' ? 'notStarted' : 'needsReply';
      workloads.set(_id.texterId, { ...before, [kind]: Number(count) });
    }
    return workloads;
  }
}
