import { Types, type Model } from 'mongoose';
import { phoneOf } from './phones.ts';
import { organisationOf } from '../../src/domain/id-rules.ts';
import type { Database } from '../../src/mongo/database.ts';
import type { Models } from '../../src/mongo/models.ts';
import type { CampaignDoc, ClaimDoc, ConversationDoc, OperationDoc, TexterDoc } from '../../src/mongo/documents.ts';

/**
 * Builds documents for tests and benchmarks, and inserts them past the stores. A builder fills in ordinary values; the
 * schemas check every document before it is inserted, so that test data cannot drift from real data.
 */
export function campaignDoc(fields: Partial<CampaignDoc> & Pick<CampaignDoc, '_id'>): CampaignDoc {
  return {
    organisationId: organisationOf(fields._id),
    name: `Campaign ${fields._id}`,
    closed: false,
    country: null,
    selfAssign: { enabled: false, batchMax: 300, openMax: 300, repliesMax: null },
    operationCount: 0,
    waitingCount: 0,
    texterCount: 0,
    createdAt: new Date(),
    ...fields,
  };
}

export function texterDoc(fields: Partial<TexterDoc> & Pick<TexterDoc, 'campaignId' | 'joinedOrder'>): TexterDoc {
  return {
    _id: new Types.ObjectId(),
    texterId: `t${fields.joinedOrder}`,
    name: `Texter ${fields.joinedOrder}`,
    active: true,
    fence: 0,
    createdAt: new Date(),
    ...fields,
  };
}

/** A not-started conversation in the pool. `number` must be unique within the campaign: it makes the phone number. */
export function conversationDoc(
  number: number,
  fields: Partial<ConversationDoc> & Pick<ConversationDoc, 'campaignId'>,
): ConversationDoc {
  const waitingSince = fields.waitingSince ?? new Date();
  return {
    _id: new Types.ObjectId(),
    externalId: null,
    contact: { name: `Contact ${number}`, phone: phoneOf(number) },
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
    ...fields,
  };
}

/** A claim that received nothing. */
export function claimDoc(fields: Partial<ClaimDoc> & Pick<ClaimDoc, '_id' | 'campaignId'>): ClaimDoc {
  const { _id: operationId, campaignId, acceptedAt = new Date() } = fields;
  return {
    kind: 'self-assign',
    request: { kind: 'self-assign', operationId, campaignId, texterId: 't1' },
    requestHash: 'hash',
    createdBySendId: 'test',
    state: 'done',
    sequence: 0,
    granted: [],
    receipt: null,
    error: null,
    cancellation: null,
    acceptedAt,
    startedAt: null,
    endedAt: acceptedAt,
    ...fields,
  };
}

/** Inserts documents that their schemas accept. */
export class Seeder {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async campaign(doc: CampaignDoc, texters: readonly TexterDoc[] = []): Promise<void> {
    const { models } = this.database;
    await insert(models.campaigns, [doc]);
    await insert(models.texters, texters);
  }

  async conversations(docs: readonly ConversationDoc[]): Promise<void> {
    await insert(this.database.models.conversations, docs);
  }

  async operations(docs: readonly (OperationDoc | ClaimDoc)[]): Promise<void> {
    await insert(this.database.models.operations, docs);
  }
}

const INSERTED_AT_ONCE = 5_000;
/** Complete validation takes 0.2 ms for each document, which is too slow for a benchmark's million. */
const VALIDATED_MAX = 100;

/** Casts every document, which finds unknown fields and wrong types, and validates the first ones completely. */
async function insert(anyModel: Models[keyof Models], docs: readonly object[]): Promise<void> {
  const model = anyModel as unknown as Model<object>;
  await Promise.all(docs.slice(0, VALIDATED_MAX).map((doc) => new model(doc).validate()));
  docs.slice(VALIDATED_MAX).forEach((doc) => model.castObject(doc));
  for (let at = 0; at < docs.length; at += INSERTED_AT_ONCE) {
    await model.collection.insertMany(docs.slice(at, at + INSERTED_AT_ONCE), { ordered: false });
  }
}
