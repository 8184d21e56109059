import { Types } from 'mongoose';
import { changeRules } from '../../../src/campaigns/manage.ts';
import type { Assignee, HistoryMove } from '../../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../../src/mongo/documents.ts';
import { conversationDoc } from '../documents.ts';
import type { Harness } from '../harness.ts';
import { rawConversations } from '../raw.ts';
import type { Origin, RuleMaxima } from './invariants.ts';
import type { Model, ModelConversation } from './model.ts';
import { conversationIdAt, texterIdAt } from './requests.ts';
import type { ConversationSeed, OutsideChange } from './steps.ts';

const SEEDED_AT = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;

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

  private async set(
    number: number,
    fields: Partial<Omit<ModelConversation, 'id' | 'assigneeId' | 'lastOperationId'>>,
  ): Promise<void> {
    const id = conversationIdAt(this.model, number);
    const found = this.model.conversations.get(id);
    if (!found) return;
    Object.assign(found, fields);
    const { waitingSince, ...rest } = fields;
    const $set = { ...rest, ...(waitingSince !== undefined && { waitingSince: new Date(waitingSince) }) };
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
