import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchDoc, ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import type { OperationResult, Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { OutsideWriter } from '../support/outside-writer.ts';
import { Harness, type Seeded } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { idsOf, rawBatches, rawConversations, rawOperations } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';

const SEED = Number(process.env['BATON_CONCURRENCY_SEED'] ?? 1);
const CAMPAIGNS = 3;
const OPERATIONS_PER_CAMPAIGN = 10;
const CONVERSATIONS = 160;
const TEXTERS = ['t1', 't2', 't3', 't4', 't5'];
const SENDINGS = 3;
const STATUSES = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'] as const;

type Answer = OperationResult | { readonly code: unknown };

/**
 * Overlapping operations on three campaigns, each sent three times by two producers, run on three workers at the same time
 * while another program writes to the conversations. The tests read the database after everything has ended.
 */
describe(`operations that are sent at the same time (seed ${SEED})`, () => {
  const random = new Random(SEED);
  let harness: Harness;
  let otherProducer: Producer;
  const requests: AnyRequest[] = [];
  const answers = new Map<string, Answer[]>();
  const seededAssignees = new Map<string, string | null>();
  const documents = new Map<string, ConversationDoc>();
  const operations: OperationDoc[] = [];
  const batches = new Map<string, BatchDoc[]>();

  beforeAll(async () => {
    harness = await Harness.open({ batchConversationsMax: 9, batchesInFlightMax: 3, sliceMs: 10 });
    otherProducer = createProducer(harness.config.queue);
    await Promise.all([1, 2, 3].map(() => harness.startWorker()));
    const campaignIds: string[] = [];
    for (let campaign = 1; campaign <= CAMPAIGNS; campaign += 1) {
      const { campaignId, ids } = await seed();
      campaignIds.push(campaignId);
      requests.push(...requestsFor(campaignId, ids));
    }
    const outside = new OutsideWriter({ harness, random, campaignIds, texterIds: TEXTERS });
    outside.start();
    await Promise.all(requests.map(sendThrice));
    await outside.stop();
    for (const [id, doc] of await rawConversations(harness)) documents.set(id, doc);
    operations.push(...(await Promise.all(campaignIds.map((id) => rawOperations(harness, id)))).flat());
    for (const { _id } of operations) batches.set(_id, await rawBatches(harness, _id));
  });
  afterAll(async () => {
    await otherProducer.close();
    await harness.close();
  });

  async function seed(): Promise<{ campaignId: string; ids: string[] }> {
    const campaignId = await harness.seedCampaign(TEXTERS.length);
    const seeded: Seeded[] = Array.from({ length: CONVERSATIONS }, () => ({
      assigneeId: random.pick([null, null, ...TEXTERS]),
      status: random.pick(STATUSES),
      waitedMs: random.between(1, 40) * 60_000,
      optedOut: random.chance(0.05),
    }));
    const ids = await harness.seedConversations(campaignId, seeded);
    for (const [index, id] of ids.entries()) seededAssignees.set(id, seeded[index]?.assigneeId ?? null);
    return { campaignId, ids };
  }

  function requestsFor(campaignId: string, conversationIds: readonly string[]): AnyRequest[] {
    return Array.from({ length: OPERATIONS_PER_CAMPAIGN }, () => {
      const ids = { operationId: harness.newId('op'), campaignId };
      const status = random.chance(0.6) ? 'any' : random.pick(STATUSES);
      const count = random.chance(0.5) ? { count: random.between(5, 60) } : {};
      const named = { texterIds: random.some(TEXTERS, random.between(1, 3)) };
      const conversationId = random.pick(conversationIds);
      const spread = random.pick(['even', 'level'] as const);
      return random.pick<AnyRequest>([
        { kind: 'reassign', ...ids, from: 'pool', to: 'everyone', status, spread, ...count },
        { kind: 'reassign', ...ids, from: 'everyone', to: 'everyone', status, spread, ...count },
        { kind: 'reassign', ...ids, from: named, to: 'everyone', status, spread, ...count },
        { kind: 'reassign', ...ids, from: named, to: { texterIds: random.some(TEXTERS, 2) }, status, ...count },
        { kind: 'unassign', ...ids, from: named, status, count: random.between(5, 60) },
        { kind: 'unassign', ...ids, from: 'everyone', status, confirm: random.pick([40, CONVERSATIONS]) },
        { kind: 'reassign-one', ...ids, conversationId, to: { texterIds: [random.pick(TEXTERS)] } },
        { kind: 'unassign-one', ...ids, conversationId },
      ]);
    });
  }

  async function sendThrice(request: AnyRequest): Promise<void> {
    const producers = Array.from({ length: SENDINGS }, (_, at) => (at % 2 === 0 ? harness.producer : otherProducer));
    const sending = producers.map(async (producer): Promise<Answer> => {
      const sent = await sendRequest(producer, request);
      return sent.result().catch((error: Error & { code?: unknown }) => ({ code: error.code ?? error.message }));
    });
    answers.set(request.operationId, await Promise.all(sending));
  }

  const movedBy = (operationId: string): { id: string; from: string | null; to: string | null }[] =>
    [...documents].flatMap(([id, { history }]) =>
      history.filter((move) => move.operationId === operationId).map(({ from, to }) => ({ id, from, to })),
    );

  it('end once, and all three senders of each receive the same answer', () => {
    expect(operations.map(({ _id }) => _id).sort()).toEqual(requests.map(({ operationId }) => operationId).sort());
    for (const { _id, state, receipt, error } of operations) {
      const received = answers.get(_id) ?? [];
      if (error) expect(received).toEqual(received.map(() => ({ code: error.code })));
      else
        expect(received.map((answer) => ('receipt' in answer ? answer.receipt : answer))).toEqual(
          received.map(() => receipt),
        );
      if (!error)
        expect(received.map((answer) => 'outcome' in answer && answer.outcome).sort()).toEqual([
          'created',
          'exists',
          'exists',
        ]);
      expect(state).toBe(error ? 'failed' : 'done');
    }
  });

  it('are refused only because of paused targets, or because the number to unassign was not confirmed', () => {
    const codes = new Set(operations.flatMap(({ error }) => (error ? [error.code] : [])));
    const expected = [
      'target-inactive',
      'confirmation-needed',
      'confirmation-drifted',
      'no-targets',
      'same-source-and-target',
      'targets-lost',
    ];
    expect([...codes].filter((code) => !expected.includes(code))).toEqual([]);
  });

  it('leave every conversation with the assignee to which its history leads', () => {
    for (const [id, doc] of documents) {
      const assignees = [seededAssignees.get(id), ...doc.history.map(({ to }) => to)];
      expect(doc.history.map(({ from }) => from)).toEqual(assignees.slice(0, -1));
      expect(doc.assigneeId).toBe(assignees.at(-1));
      expect(doc.assignmentVersion).toBe(doc.history.length);
      expect(doc.lastOperationId).toBe(doc.history.at(-1)?.operationId ?? null);
    }
  });

  it('have receipts that equal the histories of the conversations', () => {
    for (const { _id, receipt } of operations) {
      const moves = movedBy(_id);
      expect(receipt?.moved).toBe(moves.length);
      expect(countsOf(moves.map(({ from }) => from))).toEqual(asRecord(receipt?.bySource ?? []));
      expect(countsOf(moves.map(({ to }) => to))).toEqual(asRecord(receipt?.byTarget ?? []));
      const inBatches = (batches.get(_id) ?? [])
        .filter(({ state }) => state === 'applied')
        .flatMap((batch) => batch.moves);
      expect(idsOf(inBatches).sort()).toEqual(moves.map(({ id }) => id).sort());
      const skipped = (receipt?.skipped ?? []).reduce((sum, { count }) => sum + count, 0);
      expect(receipt?.selected).toBe(moves.length + skipped);
    }
  });

  it('move no conversation twice, and no more conversations than were requested or confirmed', () => {
    for (const { operationId, ...request } of requests) {
      const ids = movedBy(operationId).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const limit =
        request.kind === 'unassign'
          ? (request.count ?? request.confirm)
          : request.kind === 'reassign'
            ? request.count
            : 1;
      expect(ids.length).toBeLessThanOrEqual(limit ?? Infinity);
    }
  });

  it('leave no planned batch', () => {
    const states = [...batches.values()].flat().map(({ state }) => state);
    expect(states.filter((state) => state !== 'applied' && state !== 'end-marker' && state !== 'dropped')).toEqual([]);
  });

  it('run one at a time in the order accepted when they are bulk operations of one campaign', () => {
    const ran = operations.filter(({ sequence, startedAt }) => sequence > 0 && startedAt);
    for (const [index, { _id, campaignId, sequence }] of ran.entries()) {
      const earlier = ran.slice(0, index).filter((each) => each.campaignId === campaignId);
      for (const before of earlier) {
        expect(before.sequence).toBeLessThan(sequence);
        const applied = (batches.get(before._id) ?? []).map(({ appliedAt }) => appliedAt?.getTime() ?? 0);
        const planned = (batches.get(_id) ?? []).map(({ plannedAt }) => plannedAt.getTime());
        expect(Math.max(0, ...applied)).toBeLessThanOrEqual(Math.min(Infinity, ...planned));
      }
    }
  });
});

function countsOf(assignees: readonly (string | null)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const assignee of assignees) counts[assignee ?? 'pool'] = (counts[assignee ?? 'pool'] ?? 0) + 1;
  return counts;
}

function asRecord(
  rows: readonly { readonly assigneeId: string | null; readonly count: number }[],
): Record<string, number> {
  return Object.fromEntries(rows.map(({ assigneeId, count }) => [assigneeId ?? 'pool', count]));
}
