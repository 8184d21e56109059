import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { holdBatches, holdDocuments, holdEvenness, holdPreview, holdReceipt } from '../support/hold-against.ts';
import type { Expectation, Model } from '../support/model.ts';
import { randomRequest, seedRandomCampaign, turnTheWorld } from '../support/random-campaign.ts';
import { Random } from '../support/random.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { bytesOf, rawConversations, rawOperation } from '../support/raw.ts';
import { isBulkInput, send, type MoveRequest, type BulkInput } from '../support/send.ts';

const BATCH_MAX = 7;
const OPERATIONS_PER_CAMPAIGN = 15;
const FIRST_SEED = Number(process.env['BATON_MODEL_SEED'] ?? 1);
const CAMPAIGNS = Number(process.env['BATON_MODEL_CAMPAIGNS'] ?? 10);
/** The campaigns share the workers, and wait for each other. */
const TIMEOUT_MS = Math.max(180_000, CAMPAIGNS * 10_000);
const seeds = Array.from({ length: CAMPAIGNS }, (_, index) => FIRST_SEED + index);

/**
 * Random campaigns, random operations, two workers with batches so small and slices so short that they keep handing
 * operations to each other; after each operation the database is held against the model, document by document.
 */
describe('a campaign made by chance ends up as the model says', { timeout: TIMEOUT_MS }, () => {
  let harness: Harness;
  let queue: RawQueue;

  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: BATCH_MAX, batchesInFlightMax: 3, sliceMs: 5 });
    queue = new RawQueue(harness);
    await Promise.all([harness.startWorker(), harness.startWorker()]);
  });
  afterAll(async () => {
    await queue.close();
    await harness.close();
  });

  it.concurrent.each(seeds)('seed %i', async (seed) => {
    const random = new Random(seed);
    const { campaignId, model } = await seedRandomCampaign(harness, random);
    for (let number = 1; number <= OPERATIONS_PER_CAMPAIGN; number += 1) {
      await turnTheWorld(harness, campaignId, model, random);
      const request = randomRequest(harness, campaignId, model, random);
      await describing(`seed ${seed}, operation ${number}: ${JSON.stringify(request)}`, async () => {
        if (isBulkInput(request)) await checkPreview(harness, model, request);
        await checkOperation(harness, model, request);
        if (random.chance(0.1)) await queue.forget(request.operationId);
        if (random.chance(0.2)) await checkRepeated(harness, request);
      });
    }
  });
});

/** A failure says which step of which campaign it is about. */
async function describing(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) error.message = `${what}\n${error.message}`;
    throw error;
  }
}

async function checkPreview(harness: Harness, model: Model, request: BulkInput): Promise<void> {
  const { kind, from, status } = request;
  // Whoever asks for a preview has nothing to confirm yet.
  const all = kind === 'unassign' && request.count === undefined;
  const holders =
    from === 'everyone' ? model.texters.map(({ texterId }) => texterId) : from === 'pool' ? [] : from.texterIds;
  const confirm = all ? { confirm: model.select(holders, status).length } : {};
  const expected = model.expect({ ...request, ...confirm });
  const preview = harness.producer.preview(request);
  if (expected.refusals.length === 0) holdPreview(await preview, expected, model);
  else expect(expected.refusals).toContain(await preview.then(() => 'not refused', codeOf));
}

async function checkOperation(harness: Harness, model: Model, request: MoveRequest): Promise<void> {
  const { campaignId, operationId } = request;
  const before = await rawConversations(harness, campaignId);
  const expected = model.expect(request);
  const sent = await send(harness.producer, request);
  const answer = await sent.result().then(
    (result) => result,
    (error: unknown) => codeOf(error),
  );
  const operation = await rawOperation(harness, operationId);
  const after = await rawConversations(harness, campaignId);
  holdDocuments(before, after, expected, { request, operation });
  if (expected.refusals.length > 0) {
    expect(expected.refusals).toContain(answer);
    expect(operation).toMatchObject({ state: 'failed', error: { code: answer } });
  } else {
    expect(answer).toMatchObject({ outcome: 'created', state: 'done', operationId });
    holdReceipt(operation.receipt, expected, request);
    expect(answer).toMatchObject({ receipt: operation.receipt });
    await holdBatches(harness, operationId, expected, BATCH_MAX);
    if (request.kind === 'reassign' && request.spread !== 'level') checkEvenness(model, request, expected);
  }
  model.apply(expected);
  await checkPointer(harness, campaignId, expected);
}

function checkEvenness(model: Model, request: MoveRequest & { kind: 'reassign' }, expected: Expectation): void {
  const named = typeof request.from === 'string' ? [] : request.from.texterIds;
  const others = model.texters.filter(({ active, texterId }) => active && !named.includes(texterId));
  const targets = request.to === 'everyone' ? others.map(({ texterId }) => texterId) : request.to.texterIds;
  holdEvenness(expected, model, [...new Set(targets)]);
}

async function checkPointer(harness: Harness, campaignId: string, { nextJoinedOrder }: Expectation): Promise<void> {
  if (nextJoinedOrder === null) return;
  const campaign = await harness.context.database.campaigns.findOne({ _id: campaignId });
  expect(campaign?.rotation.nextJoinedOrder).toBe(nextJoinedOrder);
}

/** The same request again, met by the queue or, when the queue has forgotten it, by the ledger: no second effect. */
async function checkRepeated(harness: Harness, request: MoveRequest): Promise<void> {
  const before = bytesOf([...(await rawConversations(harness, request.campaignId)).values()]);
  const ended = await rawOperation(harness, request.operationId);
  const again = await send(harness.producer, request);
  const answer = await again.result().then((result) => result, codeOf);
  if (ended.error) expect(answer).toBe(ended.error.code);
  else expect(answer).toMatchObject({ outcome: 'exists', receipt: ended.receipt });
  expect(bytesOf(await rawOperation(harness, request.operationId))).toBe(bytesOf(ended));
  expect(bytesOf([...(await rawConversations(harness, request.campaignId)).values()])).toBe(before);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error;
}
