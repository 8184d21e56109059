import { createCampaign, type SelfAssignSettings } from '../../src/campaigns/index.ts';
import { Types } from 'mongoose';
import type { Assignee } from '../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Sandbox, type SandboxOptions } from '../sandbox.ts';

const SEED_INSERT_MAX = 5_000;
const SEED_CONCURRENCY = 2;
const FIRST_WAITING = Date.UTC(2026, 0, 1);

/** Rules that never stop a claim. */
const NO_LIMITS: SelfAssignSettings = { enabled: true, batchMax: 5_000, openMax: 1_000_000_000, repliesMax: null };

export interface SeedOptions {
  readonly rules?: SelfAssignSettings;
  /** The assignee of each conversation, by its index. Default: the pool. */
  readonly assigneeIdOf?: (index: number) => Assignee;
}

/** A sandbox with campaigns of any size, for benchmarks. */
export class BenchSandbox {
  readonly sandbox: Sandbox;
  private contacts = 0;

  private constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
  }

  static async open(options: SandboxOptions = {}): Promise<BenchSandbox> {
    return new BenchSandbox(await Sandbox.open('bench', options));
  }

  async seedCampaign(texters: number, conversations: number, options: SeedOptions = {}): Promise<string> {
    const { rules = NO_LIMITS, assigneeIdOf = () => null } = options;
    const campaignId = this.sandbox.newId('c');
    const { context } = this.sandbox;
    await createCampaign(context, {
      campaignId,
      name: campaignId,
      selfAssign: rules,
    });
    await this.addTexters(campaignId, texters);
    await this.seedConversations(campaignId, conversations, assigneeIdOf);
    return campaignId;
  }

  async seedConversations(
    campaignId: string,
    conversations: number,
    assigneeIdOf: (index: number) => Assignee,
  ): Promise<void> {
    const { database } = this.sandbox.context;
    let next = 0;
    const seed = async (): Promise<void> => {
      while (next < conversations) {
        const from = next;
        next += SEED_INSERT_MAX;
        const count = Math.min(SEED_INSERT_MAX, conversations - from);
        const docs = Array.from({ length: count }, (_, index) => {
          return this.conversation(campaignId, from + index, assigneeIdOf(from + index));
        });
        await database.conversations.insertMany(docs, { ordered: false });
      }
    };
    await Promise.all(Array.from({ length: SEED_CONCURRENCY }, seed));
  }

  /** Inserts them with one statement, because thousands of texters would take longer than a benchmark. */
  private async addTexters(campaignId: string, texters: number): Promise<void> {
    if (texters === 0) return;
    const { database } = this.sandbox.context;
    const docs = Array.from({ length: texters }, (_, index) => ({
      _id: new Types.ObjectId(),
      ...{ campaignId, texterId: `t${index}`, name: `Texter ${index}`, active: true, joinedOrder: index + 1, fence: 0 },
      createdAt: new Date(FIRST_WAITING),
    }));
    await database.texters.insertMany(docs);
    await database.campaigns.updateOne({ _id: campaignId }, { $set: { texterCount: texters } });
  }

  /** Moves all conversations back to the pool. */
  async refillPools(campaignIds: readonly string[]): Promise<void> {
    const assigned = { campaignId: { $in: [...campaignIds] }, assigneeId: { $ne: null } };
    const unassigned = { $set: { assigneeId: null, history: [], lastOperationId: null } };
    await this.sandbox.context.database.conversations.updateMany(assigned, unassigned);
  }

  async conversationIds(campaignId: string): Promise<string[]> {
    const found = this.sandbox.context.database.conversations.find({ campaignId }, { projection: { _id: 1 } });
    return (await found.toArray()).map(({ _id }) => _id.toHexString());
  }

  /** Throws when a campaign does not have this number of conversations: a benchmark must not measure something else. */
  async requireConversations(campaignId: string, expected: number): Promise<void> {
    const found = await this.sandbox.context.database.conversations.countDocuments({ campaignId });
    if (found !== expected) throw new Error(`the campaign has ${found} conversations instead of ${expected}`);
  }

  /** Deletes the conversations of a campaign, so that the next benchmark does not read past them. */
  async deleteConversations(campaignId: string): Promise<void> {
    await this.sandbox.context.database.conversations.deleteMany({ campaignId });
  }

  private conversation(campaignId: string, index: number, assigneeId: Assignee): ConversationDoc {
    this.contacts += 1;
    const waitingSince = new Date(FIRST_WAITING + index);
    return {
      _id: new Types.ObjectId(),
      campaignId,
      externalId: null,
      contact: { name: `Contact ${index}`, phone: `+1${String(this.contacts).padStart(10, '0')}` },
      assigneeId,
      status: 'not-started',
      waitingSince,
      optedOut: false,
      assignmentVersion: 0,
      assignedAt: null,
      lastInboundAt: null,
      lastOutboundAt: null,
      lastOperationId: null,
      history: [],
      createdAt: waitingSince,
    };
  }
}
