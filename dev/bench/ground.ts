import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { conversationDoc, Seeder } from '../../test/support/documents.ts';
import { Place } from '../place.ts';

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
    const { database, campaigns, clock } = this.place.context;
    await campaigns.insertCampaign({
      campaignId,
      name: campaignId,
      closed: false,
      selfAssign: { enabled: true, batchMax: 5_000, openMax: 1_000_000_000, repliesMax: null },
      texterCount: 0,
      createdAt: clock.now(),
    });
    for (let index = 0; index < texters; index += 1) {
      await campaigns.insertTexter({ campaignId, texterId: `t${index}`, name: `Texter ${index}`, at: clock.now() });
    }
    const seeder = new Seeder(database);
    let next = 0;
    const seed = async (): Promise<void> => {
      while (next < conversations) {
        const from = next;
        next += SEED_CHUNK;
        const count = Math.min(SEED_CHUNK, conversations - from);
        const docs = Array.from({ length: count }, (_, index) => this.conversation(campaignId, from + index));
        await seeder.conversations(docs);
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
    return conversationDoc(this.contacts, {
      campaignId,
      contact: { name: `Contact ${index}`, phone: `+1${String(this.contacts).padStart(10, '0')}` },
      waitingSince: new Date(FIRST_WAITING + index),
    });
  }
}
