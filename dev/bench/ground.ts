import { Types } from 'mongoose';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Place } from '../place.ts';
import { addTexter, createCampaign } from '../../src/campaigns/manage.ts';

const SEED_CHUNK = 5_000;
const SEEDERS = 2;
const FIRST_WAITING = Date.UTC(2026, 0, 1);

/** What a benchmark runs on: a place of its own, and campaigns of any size. */
export class Ground {
  readonly place: Place;
  private contacts = 0;

  private constructor(place: Place) {
    this.place = place;
  }

  static async open(): Promise<Ground> {
    return new Ground(await Place.open('bench'));
  }

  async seedCampaign(texters: number, conversations: number): Promise<string> {
    const campaignId = this.place.newId('c');
    const { context } = this.place;
    const { database } = context;
    await createCampaign(context, {
      campaignId,
      name: campaignId,
      selfAssign: { enabled: true, batchMax: 5_000, openMax: 1_000_000_000, repliesMax: null },
    });
    for (let index = 0; index < texters; index += 1) {
      await addTexter(context, { campaignId, texterId: `t${index}`, name: `Texter ${index}` });
    }
    let next = 0;
    const seed = async (): Promise<void> => {
      while (next < conversations) {
        const from = next;
        next += SEED_CHUNK;
        const count = Math.min(SEED_CHUNK, conversations - from);
        const docs = Array.from({ length: count }, (_, index) => this.conversation(campaignId, from + index));
        await database.conversations.insertMany(docs, { ordered: false });
      }
    };
    await Promise.all(Array.from({ length: SEEDERS }, seed));
    return campaignId;
  }

  /** Gives everything back to the pool. */
  async refill(campaignIds: readonly string[]): Promise<void> {
    const taken = { campaignId: { $in: [...campaignIds] }, assigneeId: { $ne: null } };
    const back = { $set: { assigneeId: null, history: [], lastOperationId: null } };
    await this.place.context.database.conversations.updateMany(taken, back);
  }

  async someIds(campaignId: string): Promise<string[]> {
    const found = this.place.context.database.conversations.find({ campaignId }, { projection: { _id: 1 } });
    return (await found.toArray()).map(({ _id }) => _id.toHexString());
  }

  /** What is measured next should not read past what was measured before. */
  async drop(campaignId: string): Promise<void> {
    await this.place.context.database.conversations.deleteMany({ campaignId });
  }

  private conversation(campaignId: string, index: number): ConversationDoc {
    this.contacts += 1;
    const waitingSince = new Date(FIRST_WAITING + index);
    return {
      _id: new Types.ObjectId(),
      campaignId,
      externalId: null,
      contact: { name: `Contact ${index}`, phone: `+1${String(this.contacts).padStart(10, '0')}` },
      assigneeId: null,
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
