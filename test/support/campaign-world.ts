import { Types } from 'mongoose';
import { changeRules } from '../../src/campaigns/manage.ts';
import type { Assignee, HistoryMove } from '../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { conversationMeant, texterMeant } from './campaign-actions.ts';
import type { Origin } from './campaign-invariants.ts';
import type { ConversationRequest, WorldRequest } from './campaign-requests.ts';
import { conversationDoc } from './documents.ts';
import type { Harness } from './harness.ts';
import type { Model, ModelConversation } from './model.ts';
import { rawConversations } from './raw.ts';

const PAST = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;

/** What happens to a campaign by other ways than Baton's, in the database and in the model of it. */
export class CampaignWorld {
  /** How each conversation came into the campaign. */
  readonly origins = new Map<string, Origin>();
  private readonly harness: Harness;
  private readonly campaignId: string;
  private readonly model: Model;
  private contacts = 0;

  constructor(harness: Harness, campaignId: string, model: Model) {
    this.harness = harness;
    this.campaignId = campaignId;
    this.model = model;
  }

  async seed(requests: readonly ConversationRequest[]): Promise<void> {
    const docs = requests.map((request) => this.conversation(request));
    await this.harness.seeder.conversations(docs);
    for (const doc of docs) this.know(doc);
  }

  async change(request: WorldRequest): Promise<void> {
    const { harness, campaignId, model } = this;
    switch (request.does) {
      case 'pause':
      case 'resume': {
        const texter = model.texter(texterMeant(model, request.texter));
        if (!texter) return;
        texter.active = request.does === 'resume';
        return harness.pause(campaignId, texter.texterId, texter.active);
      }
      case 'opt out':
      case 'opt in':
        return this.set(request.conversation, { optedOut: request.does === 'opt out' });
      case 'write':
        return this.set(request.conversation, { status: request.status, waitingSince: since(request.waitedMinutes) });
      case 'import':
        return this.import(request);
      case 'change rules':
        model.rules = { ...model.rules, ...request.rules };
        if (Object.keys(request.rules).length > 0) await changeRules(harness.context, campaignId, request.rules);
        return;
      case 'close':
      case 'open': {
        model.closed = request.does === 'close';
        const $set = { closed: model.closed };
        await harness.context.database.campaigns.updateOne({ _id: campaignId }, { $set });
      }
    }
  }

  private async set(
    number: number,
    fields: Partial<Omit<ModelConversation, 'id' | 'assigneeId' | 'lastMovedBy'>>,
  ): Promise<void> {
    const id = conversationMeant(this.model, number);
    const known = this.model.conversations.get(id);
    if (!known) return;
    Object.assign(known, fields);
    const { waitingSince, ...rest } = fields;
    const $set = { ...rest, ...(waitingSince !== undefined && { waitingSince: new Date(waitingSince) }) };
    await this.harness.context.database.conversations.updateOne({ _id: new Types.ObjectId(id) }, { $set });
  }

  private async import({ statuses, waitedMinutes }: Extract<WorldRequest, { does: 'import' }>): Promise<void> {
    const added = statuses.map((status) => {
      const { contact } = this.conversation({ ...NEW, status });
      const waitingSince = new Date(since(waitedMinutes));
      const { optedOut } = NEW;
      const moments = { waitingSince, lastInboundAt: null, lastOutboundAt: null, createdAt: waitingSince };
      return { ...contact, ...moments, externalId: null, assigneeId: null, status, optedOut };
    });
    await this.harness.context.contacts.insertNew(this.campaignId, added, new Date());
    const phones = new Set(added.map(({ phone }) => phone));
    for (const doc of (await rawConversations(this.harness, this.campaignId)).values()) {
      if (phones.has(doc.contact.phone)) this.know({ ...doc, assigneeId: null, assignmentVersion: 0 });
    }
  }

  private know(doc: ConversationDoc): void {
    const { id, ...conversation } = inModel(doc);
    this.origins.set(id, { assigneeId: doc.assigneeId, moves: doc.assignmentVersion });
    this.model.conversations.set(id, { id, ...conversation });
  }

  private conversation(request: ConversationRequest): ConversationDoc {
    this.contacts += 1;
    const { moves, status, optedOut, assignee } = request;
    const assigneeId = assignee === null ? null : texterMeant(this.model, assignee);
    return conversationDoc(this.contacts, {
      campaignId: this.campaignId,
      externalId: this.contacts % 2 === 0 ? `outside-${this.contacts}` : null,
      assigneeId,
      status,
      waitingSince: new Date(since(request.waitedMinutes)),
      optedOut,
      assignmentVersion: moves,
      assignedAt: moves > 0 ? new Date(PAST) : null,
      lastInboundAt: this.contacts % 3 === 0 ? new Date(PAST + this.contacts) : null,
      lastOutboundAt: this.contacts % 5 === 0 ? new Date(PAST + this.contacts) : null,
      lastOperationId: moves > 0 ? `earlier-${moves}` : null,
      history: past(moves, assigneeId),
      createdAt: new Date(PAST),
    });
  }
}

const NEW: ConversationRequest = { status: 'not-started', assignee: null, waitedMinutes: 0, optedOut: false, moves: 0 };

export function inModel(doc: ConversationDoc): ModelConversation {
  return {
    id: doc._id.toHexString(),
    assigneeId: doc.assigneeId,
    status: doc.status,
    waitingSince: doc.waitingSince.getTime(),
    optedOut: doc.optedOut,
    lastMovedBy: doc.lastOperationId,
  };
}

function since(waitedMinutes: number): number {
  return PAST - waitedMinutes * MINUTE_MS;
}

/** A past that leads to where the conversation lies now. */
function past(moves: number, assigneeId: Assignee): HistoryMove[] {
  const to = (number: number): Assignee => (number === moves ? assigneeId : number % 2 === 1 ? 't1' : null);
  return Array.from({ length: moves }, (_, index) => ({
    operationId: `earlier-${index + 1}`,
    from: to(index),
    to: to(index + 1),
    at: new Date(PAST + index),
    by: null,
  }));
}
