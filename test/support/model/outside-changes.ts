import { Types } from 'mongoose';
import { changeRules } from '../../../src/campaigns/manage.ts';
import type { Assignee, HistoryMove, Status } from '../../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../../src/mongo/documents.ts';
import { conversationDoc } from '../documents.ts';
import type { Harness } from '../harness.ts';
import { rawConversations } from '../raw.ts';
import type { Origin, RuleMaxima } from './invariants.ts';
import type { Model, ModelConversation, Work } from './model.ts';
import { conversationIdAt, texterIdAt } from './requests.ts';
import type { ConversationSeed, OutsideChange } from './steps.ts';

const SEEDED_AT = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;

/** Numbers are times. */
type OutsideFields = Partial<
  Pick<ModelConversation, 'status' | 'waitingSince' | 'optedOut' | 'lastInboundAt' | 'lastOutboundAt'>
>;

/** Changes a campaign as other programs do, in the database and in its model. */
export class OutsideChanges {
  readonly origins = new Map<string, Origin>();
  maxima: RuleMaxima;
  private readonly harness: Harness;
  private readonly campaignId: string;
  private readonly model: Model;
  private contacts = 0;

  constructor(harness: Harness, campaignId: string, model: Model) {
    this.harness = harness;
    this.campaignId = campaignId;
    this.model = model;
    this.maxima = model.rules;
  }

  async seed(seeds: readonly ConversationSeed[]): Promise<void> {
    const docs = seeds.map((each) => this.newConversation(each));
    await this.harness.seeder.conversations(docs);
    for (const doc of docs) this.addToModel(doc);
  }

  async change(change: OutsideChange): Promise<void> {
    const { harness, campaignId, model } = this;
    switch (change.does) {
      case 'pause':
      case 'resume': {
        const texter = model.texter(texterIdAt(model, change.texter));
        if (!texter) return;
        texter.active = change.does === 'resume';
        return harness.pause(campaignId, texter.texterId, texter.active);
      }
      case 'opt out':
      case 'opt in':
        return this.set(change.conversation, { optedOut: change.does === 'opt out' });
      case 'change status':
        return this.set(change.conversation, { status: change.status, waitingSince: since(change.waitedMinutes) });
      case 'write':
        return this.write(change);
      case 'move away and back':
        return this.moveAwayAndBack(change.conversation);
      case 'import':
        return this.import(change);
      case 'change rules':
        model.rules = { ...model.rules, ...change.rules };
        this.raiseMaxima();
        if (Object.keys(change.rules).length > 0) await changeRules(harness.context, campaignId, change.rules);
        return;
      case 'close':
      case 'open': {
        model.closed = change.does === 'close';
        const $set = { closed: model.closed };
        await harness.context.database.campaigns.updateOne({ _id: campaignId }, { $set });
      }
    }
  }

  private raiseMaxima(): void {
    const { maxima, model } = this;
    this.maxima = {
      batchMax: Math.max(maxima.batchMax, model.rules.batchMax),
      openMax: Math.max(maxima.openMax, model.rules.openMax),
    };
  }

  /** A message that changes no status, such as a second one from the contact. */
  private async write({ who, conversation, minute }: OutsideChange & { does: 'write' }): Promise<void> {
    const at = SEEDED_AT + minute * MINUTE_MS;
    await this.set(conversation, who === 'contact' ? { lastInboundAt: at } : { lastOutboundAt: at });
  }

  /** Another program moves a conversation twice. It writes the version, and nothing that Baton alone writes. */
  private async moveAwayAndBack(number: number): Promise<void> {
    const id = conversationIdAt(this.model, number);
    const [found, origin] = [this.model.conversations.get(id), this.origins.get(id)];
    if (!found || !origin) return;
    found.version += 2;
    this.origins.set(id, { ...origin, moves: origin.moves + 2, isMovedOutside: true });
    const $inc = { assignmentVersion: 2 };
    await this.harness.context.database.conversations.updateOne({ _id: new Types.ObjectId(id) }, { $inc });
  }

  private async set(number: number, fields: OutsideFields): Promise<void> {
    const id = conversationIdAt(this.model, number);
    const found = this.model.conversations.get(id);
    if (!found) return;
    Object.assign(found, fields);
    const inDatabase = ([name, value]: [string, unknown]) => [
      name,
      typeof value === 'number' ? new Date(value) : value,
    ];
    const $set = Object.fromEntries(Object.entries(fields).map(inDatabase)) as Partial<ConversationDoc>;
    await this.harness.context.database.conversations.updateOne({ _id: new Types.ObjectId(id) }, { $set });
  }

  private async import({ statuses, waitedMinutes }: OutsideChange & { does: 'import' }): Promise<void> {
    const conversations = statuses.map((status) => {
      const { contact } = this.newConversation({ ...NEW, status });
      const waitingSince = new Date(since(waitedMinutes));
      const { optedOut } = NEW;
      const times = { waitingSince, lastInboundAt: null, lastOutboundAt: null, createdAt: waitingSince };
      return { ...contact, ...times, externalId: null, assigneeId: null, status, optedOut };
    });
    await this.harness.context.contacts.importBatch(this.campaignId, {
      conversations,
      optOuts: [],
      at: new Date(),
      keepsAssignees: false,
      sharesIds: false,
    });
    const phones = new Set(conversations.map(({ phone }) => phone));
    for (const doc of (await rawConversations(this.harness, this.campaignId)).values()) {
      if (phones.has(doc.contact.phone)) this.addToModel({ ...doc, assigneeId: null, assignmentVersion: 0 });
    }
  }

  private addToModel(doc: ConversationDoc): void {
    const { id, ...conversation } = asModelConversation(doc);
    this.origins.set(id, { assigneeId: doc.assigneeId, moves: doc.assignmentVersion });
    this.model.conversations.set(id, { id, ...conversation });
  }

  private newConversation(seed: ConversationSeed): ConversationDoc {
    this.contacts += 1;
    const { moves, status, optedOut, assignee } = seed;
    const assigneeId = assignee === null ? null : texterIdAt(this.model, assignee);
    return conversationDoc(this.contacts, {
      campaignId: this.campaignId,
      externalId: this.contacts % 2 === 0 ? `external-${this.contacts}` : null,
      assigneeId,
      status,
      waitingSince: new Date(since(seed.waitedMinutes)),
      optedOut,
      assignmentVersion: moves,
      assignedAt: moves > 0 ? new Date(SEEDED_AT) : null,
      lastInboundAt: this.contacts % 3 === 0 ? new Date(SEEDED_AT + this.contacts) : null,
      lastOutboundAt: this.contacts % 5 === 0 ? new Date(SEEDED_AT + this.contacts) : null,
      lastOperationId: moves > 0 ? `earlier-${moves}` : null,
      history: historyTo(moves, assigneeId),
      createdAt: new Date(SEEDED_AT),
    });
  }
}

const NEW: ConversationSeed = { status: 'not-started', assignee: null, waitedMinutes: 0, optedOut: false, moves: 0 };

export function asModelConversation(doc: ConversationDoc): ModelConversation {
  return {
    id: doc._id.toHexString(),
    assigneeId: doc.assigneeId,
    status: doc.status,
    waitingSince: doc.waitingSince.getTime(),
    optedOut: doc.optedOut,
    lastOperationId: doc.lastOperationId,
    version: doc.assignmentVersion,
    lastInboundAt: doc.lastInboundAt?.getTime() ?? null,
    lastOutboundAt: doc.lastOutboundAt?.getTime() ?? null,
    asLastMoved: doc.atLastMove ? asWork(doc.atLastMove) : null,
  };
}

function asWork(last: NonNullable<ConversationDoc['atLastMove']>): Work {
  const { version, status, lastInboundAt, lastOutboundAt } = last;
  return {
    version,
    status: status as Status,
    lastInboundAt: lastInboundAt?.getTime() ?? null,
    lastOutboundAt: lastOutboundAt?.getTime() ?? null,
  };
}

function since(waitedMinutes: number): number {
  return SEEDED_AT - waitedMinutes * MINUTE_MS;
}

/** Returns a history that leads to the assignee. */
function historyTo(moves: number, assigneeId: Assignee): HistoryMove[] {
  const to = (number: number): Assignee => (number === moves ? assigneeId : number % 2 === 1 ? 't1' : null);
  return Array.from({ length: moves }, (_, index) => ({
    operationId: `earlier-${index + 1}`,
    from: to(index),
    to: to(index + 1),
    at: new Date(SEEDED_AT + index),
    by: null,
  }));
}
