import { mongo } from 'mongoose';
import type { Status } from '../../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../../src/mongo/documents.ts';
import { ASSIGNEE_INDEX, CLAIMABLE_INDEX } from '../../../src/mongo/indexes.ts';
import type { Random } from '../../../test/support/random.ts';

/** A conversation on a texter's screen. */
export interface Entry {
  readonly id: mongo.ObjectId;
  readonly status: Status;
}

/** The share of messages with a delivery report, and the share that contacts answer. */
const DELIVERY_REPORTS = 0.3;
const REPLIES = 0.35;
/** The share of replies that opt out. */
const OPT_OUTS = 0.03;
/** The share of a texter's writes that check the assignee and the status. The others name only the conversation. */
const GUARDED = 0.5;
const DELIVERY_MS = { least: 200, most: 1_500 };
const REPLY_MS = { least: 2_000, most: 20_000 };
const CONNECTIONS_MAX = 64;
const PAGE = 20;

/** The program that sends and receives the messages. It writes to the conversations without any help from Baton. */
export class UpstreamApp {
  /** The milliseconds that each write took. */
  readonly writeMs: number[] = [];
  failedWrites = 0;
  /** When the first write that changes the status of a conversation was sent, by id, in milliseconds since 1970. */
  readonly firstStatusChangeAt = new Map<string, number>();
  private readonly client: mongo.MongoClient;
  private readonly conversations: mongo.Collection<ConversationDoc>;
  private readonly campaignId: string;
  private readonly random: Random;
  private readonly later = new Set<NodeJS.Timeout>();
  private readonly writing = new Set<Promise<unknown>>();

  constructor(uri: string, campaignId: string, random: Random) {
    this.client = new mongo.MongoClient(uri, { maxPoolSize: CONNECTIONS_MAX });
    this.conversations = this.client.db().collection('conversations');
    this.campaignId = campaignId;
    this.random = random;
  }

  /**
   * Reads the first conversations of a texter that need a message, replies first. MongoDB chooses the index by trying each. The
   * development server chooses by the number of matching fields, and would read the range of all texters.
   */
  async read(texterId: string): Promise<Entry[]> {
    const ofStatus = async (status: Status): Promise<Entry[]> => {
      const filter = { campaignId: this.campaignId, assigneeId: texterId, status, optedOut: false };
      const options = { projection: { _id: 1 }, limit: PAGE, hint: ASSIGNEE_INDEX } as const;
      const found = await this.conversations.find(filter, options).toArray();
      return found.map(({ _id }) => ({ id: _id, status }));
    };
    const [replies, initial] = [await ofStatus('needs-reply'), await ofStatus('not-started')];
    return [...replies, ...initial];
  }

  /** Returns true if a claim could be given a conversation now. */
  async isPoolFilled(): Promise<boolean> {
    const claimable = {
      campaignId: this.campaignId,
      assigneeId: null,
      status: 'not-started',
      optedOut: false,
    } as const;
    const options = { projection: { _id: 1 }, hint: CLAIMABLE_INDEX } as const;
    return (await this.conversations.findOne(claimable, options)) !== null;
  }

  /** Sends a texter's message, and later its delivery report and the contact's reply. */
  async sendMessage(texterId: string, { id, status }: Entry): Promise<void> {
    const next: Status = status === 'not-started' || this.random.chance(0.8) ? 'awaiting-contact' : 'closed';
    const guard = this.random.chance(GUARDED) ? { assigneeId: texterId, status } : {};
    const now = new Date();
    await this.write(id, guard, { status: next, waitingSince: now, lastOutboundAt: now });
    if (this.random.chance(DELIVERY_REPORTS)) this.schedule(DELIVERY_MS, () => this.reportDelivery(id));
    if (this.random.chance(REPLIES)) this.schedule(REPLY_MS, () => this.receiveReply(id));
  }

  /** Cancels what is scheduled, and waits for the writes in progress. */
  async close(): Promise<void> {
    for (const timer of this.later) clearTimeout(timer);
    await Promise.all(this.writing);
    await this.client.close();
  }

  private reportDelivery(id: mongo.ObjectId): Promise<void> {
    return this.write(id, {}, { lastOutboundAt: new Date() });
  }

  private receiveReply(id: mongo.ObjectId): Promise<void> {
    const now = new Date();
    if (this.random.chance(OPT_OUTS))
      return this.write(id, {}, { status: 'closed', optedOut: true, lastInboundAt: now });
    return this.write(id, {}, { status: 'needs-reply', waitingSince: now, lastInboundAt: now });
  }

  private schedule({ least, most }: { least: number; most: number }, work: () => Promise<void>): void {
    const timer = setTimeout(
      () => {
        this.later.delete(timer);
        const done = work().finally(() => this.writing.delete(done));
        this.writing.add(done);
      },
      this.random.between(least, most),
    );
    this.later.add(timer);
  }

  private async write(
    id: mongo.ObjectId,
    guard: mongo.Filter<ConversationDoc>,
    fields: Partial<ConversationDoc>,
  ): Promise<void> {
    const key = id.toHexString();
    if (fields.status && !this.firstStatusChangeAt.has(key)) this.firstStatusChangeAt.set(key, Date.now());
    const startedAt = performance.now();
    try {
      await this.conversations.updateOne({ _id: id, ...guard }, { $set: fields });
    } catch {
      this.failedWrites += 1;
    }
    this.writeMs.push(performance.now() - startedAt);
  }
}
