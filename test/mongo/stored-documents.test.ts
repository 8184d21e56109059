import { serveClaims } from '../../src/claims/index.ts';
import { replaceCredits } from '../../src/campaigns/index.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoClaimStore } from '../../src/claims/index.ts';
import { parseClaimRequest } from '../../src/claims/contract.ts';
import { stream } from '../../src/mongo/database.ts';
import type { ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import { campaignDoc, claimDoc, conversationDoc, texterDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';
import { rawOperation } from '../support/raw.ts';
import { record } from '../support/run-operation.ts';

const AT = new Date(1_700_000_000_000);
const SETTINGS = { enabled: true, batchMax: 5, openMax: 6, repliesMax: null };
const PLAN = {
  sources: [null, 't1'],
  targets: ['t2'],
  loads: [0],
  spread: 'even',
  statuses: ['closed'],
  limit: null,
} as const;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

/** The builders' documents are strictly equal: a missing field, `null` and `undefined` are three different values. */
describe('the stores write exactly the document of the builder for', () => {
  it('a campaign', async () => {
    const campaignId = harness.newId('c');
    const fields = { name: 'A', closed: false, country: null, selfAssign: SETTINGS, texterCount: 0, createdAt: AT };
    const campaign = { campaignId, ...fields };
    await harness.context.stores.campaigns.insert(campaign);
    expect(await harness.context.database.campaigns.findOne({ _id: campaignId })).toStrictEqual(
      campaignDoc({ _id: campaignId, name: 'A', selfAssign: SETTINGS, createdAt: AT }),
    );
  });

  it('the credits of a campaign', async () => {
    const campaignId = harness.newId('c');
    const credits = [{ texterId: 't1', status: 'closed', credit: -0.5 }] as const;
    const { database } = harness.context;
    await database.transaction((session) => replaceCredits(database, campaignId, credits, session));
    const doc = await database.models.credits.findById(campaignId).lean();
    expect(doc).toStrictEqual({ _id: campaignId, credits: [...credits] });
  });

  it('a texter', async () => {
    const campaignId = await harness.seedCampaign(0);
    await harness.context.stores.texters.insert({ campaignId, texterId: 'ann', name: 'Ann', createdAt: AT });
    const doc = await harness.context.database.texters.findOne({ campaignId });
    const fields = { campaignId, texterId: 'ann', name: 'Ann', joinedOrder: 1, createdAt: AT };
    expect(doc).toStrictEqual(texterDoc({ ...fields, ...(doc && { _id: doc._id }) }));
  });

  it('an imported conversation', async () => {
    const campaignId = harness.newId('c');
    const { contact, ...built } = conversationDoc(1, { campaignId, waitingSince: AT });
    const { externalId, assigneeId, status, waitingSince, optedOut, lastInboundAt, lastOutboundAt, createdAt } = built;
    const dates = { waitingSince, lastInboundAt, lastOutboundAt, createdAt };
    const conversation = { externalId, ...contact, assigneeId, status, optedOut, ...dates };
    await harness.context.contacts.importBatch(campaignId, {
      conversations: [conversation],
      optOuts: [],
      at: AT,
      keepsAssignees: false,
      sharesIds: false,
    });
    const doc = await harness.context.database.conversations.findOne({ campaignId });
    expect(doc).toStrictEqual({ ...built, contact, ...(doc && { _id: doc._id }) });
  });

  it('a claim that received nothing', async () => {
    const campaignId = await harness.seedCampaign(1, { selfAssign: { enabled: true } });
    const operationId = harness.newId('cl');
    const request = parseClaimRequest({ kind: 'self-assign', operationId, campaignId, texterId: 't1' });
    const store = new MongoClaimStore(harness.context.database, 100);
    await serveClaims(store, campaignId, [{ request, requestHash: 'hash', sendId: 'test' }]);
    const doc = await harness.context.database.claims.findOne({ _id: operationId });
    const { receipt = null, acceptedAt = AT, startedAt = null, endedAt = null } = doc ?? {};
    const times = { acceptedAt, startedAt, endedAt };
    expect(doc).toStrictEqual(claimDoc({ _id: operationId, campaignId, receipt, ...times }));
    expect(receipt).toMatchObject({ moved: 0, shortBecause: 'none-left' });
  });
});

describe('the stored operation', () => {
  let stored: OperationDoc;
  const operations = () => harness.context.stores.operations;
  const failures = () => harness.context.failures;
  const expectStored = async () => expect(await rawOperation(harness, stored._id)).toStrictEqual(stored);

  it('has exactly these fields when it is accepted', async () => {
    const campaignId = await harness.seedCampaign(2);
    const names = { operationId: harness.newId('op'), campaignId };
    const request = { kind: 'reassign', ...names, from: 'everyone', to: { texterIds: ['t2'] }, status: 'any' } as const;
    const { requestHash, acceptedAt } = await record(harness.context.stores, request);
    stored = {
      _id: names.operationId,
      kind: 'reassign',
      campaignId,
      request: { ...request, spread: 'even' } as OperationDoc['request'],
      requestHash,
      createdBySendId: 'test',
      state: 'accepted',
      sequence: 1,
      plan: null,
      receipt: null,
      error: null,
      cancellation: null,
      acceptedAt,
      startedAt: null,
      endedAt: null,
    };
    await expectStored();
  });

  it('changes only in the named fields with each later step', async () => {
    const step = async (changes: Partial<OperationDoc>, done: Promise<unknown>) => {
      await done;
      stored = { ...stored, ...changes };
      await expectStored();
    };
    const { _id: operationId, campaignId } = stored;
    const accepted = await operations().find(operationId);
    if (!accepted) throw new Error('the operation was not found');
    const start = { takesLock: true, plan: PLAN, startedAt: AT };
    const started = { state: 'running', campaignLock: campaignId, plan: PLAN, startedAt: AT } as const;
    await step(started, operations().start(accepted, start));
    const attempt = { at: AT, message: 'no connection' };
    await step({ failures: [attempt] }, failures().note(operationId, stored.requestHash, attempt));
    const error = { code: 'attempts-exhausted', message: 'no attempts left', expected: null, received: null };
    await step({ error }, operations().recordError({ operationId }, error));
    await harness.context.stores.batches.stop(accepted);
    stored = { ...stored, stops: 1 };
    const { campaignLock, ...unlocked } = stored;
    stored = unlocked;
    const ended = { state: 'failed', receipt: null } as const;
    await step(
      { ...ended, endedAt: AT },
      operations().end(accepted, () => Promise.resolve({ ...ended, at: AT, error })),
    );
    const reopened = { state: 'accepted', sequence: 2, error: null, endedAt: null, reopened: 1 } as const;
    await step(reopened, failures().reopen(operationId));
    const cancellation = { by: null, reason: 'wrong texter', at: AT };
    await step({ cancellation }, operations().recordCancellation({ operationId, reopened: 1 }, cancellation));
  });
});

describe('stream', () => {
  it('closes its cursor when the loop over it ends early', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, [{}, {}, {}]);
    const query = harness.context.database.models.conversations.find({ campaignId });
    const cursor = query.lean().cursor({ batchSize: 1 });
    vi.spyOn(query, 'cursor').mockReturnValue(cursor as never);
    let closed = 0;
    cursor.once('close', () => (closed += 1));
    const read: ConversationDoc[] = [];
    for await (const doc of stream<ConversationDoc>(query, 1)) {
      read.push(doc);
      break;
    }
    expect(read).toHaveLength(1);
    expect(closed).toBe(1);
  });
});
