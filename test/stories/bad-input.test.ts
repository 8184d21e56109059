import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { parseFailureText } from '../../src/domain/stored-error.ts';
import { sendRequest } from '../../src/producer/send-many.ts';
import { Harness } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { everyConversation, rawOperation } from '../support/raw.ts';
import type { AnyRequest } from '../support/any-request.ts';
import { until } from '../support/until.ts';

const UNKNOWN_ID = '0123456789abcdef01234567';

/** Sends what the types forbid, as a program in another language can. */
const asRequest = (anything: unknown): AnyRequest => anything as AnyRequest;

describe('bad input', () => {
  let harness: Harness;
  let queue: RawQueue;
  let campaignId: string;
  let otherCampaignId: string;
  let ids: string[];

  beforeAll(async () => {
    harness = await Harness.open();
    queue = new RawQueue(harness);
    await harness.startWorker();
    campaignId = await harness.seedCampaign(4);
    otherCampaignId = await harness.seedCampaign(5);
    await harness.pause(campaignId, 't4');
    ids = await harness.seedConversations(campaignId, [
      { assigneeId: 't1', status: 'needs-reply' },
      { assigneeId: 't1', status: 'awaiting-contact' },
      { assigneeId: 't2' },
      { optedOut: true },
      {},
    ]);
  });
  afterAll(async () => {
    await queue.close();
    await harness.close();
  });

  const newIds = (): { operationId: string; campaignId: string } => ({ operationId: harness.newId('op'), campaignId });
  const reassign = (fields: object = {}): AnyRequest =>
    asRequest({ kind: 'reassign', ...newIds(), from: 'pool', to: 'everyone', status: 'any', ...fields });
  const unassign = (fields: object = {}): AnyRequest =>
    asRequest({ kind: 'unassign', ...newIds(), from: 'everyone', status: 'any', ...fields });
  const one = (fields: object = {}): AnyRequest =>
    asRequest({ kind: 'reassign-one', ...newIds(), conversationId: ids[0], to: { texterIds: ['t2'] }, ...fields });

  async function refusalOf(request: AnyRequest): Promise<Refusal> {
    const error: unknown = await sendRequest(harness.producer, request)
      .then((sent) => sent.result())
      .then(
        (result) => result,
        (refusal: unknown) => refusal,
      );
    if (error instanceof Refusal) return error;
    throw new Error(`the request was not refused: ${JSON.stringify(error)} ${String(error)}`);
  }

  async function expectWorkerStillWorks(): Promise<void> {
    const good = one({ expectedAssigneeId: 't3' });
    const result = await (await sendRequest(harness.producer, good)).result();
    expect(result.receipt).toMatchObject({ moved: 0, skipped: [{ reason: 'assignee-changed', count: 1 }] });
  }

  describe('in a request', () => {
    let before: string;
    beforeEach(async () => {
      before = await everyConversation(harness);
    });

    const REFUSED: [string, string, () => AnyRequest, string][] = [
      ['an unknown campaign', 'unknown-campaign', () => reassign({ campaignId: 'nowhere' }), 'nowhere'],
      ['an unknown campaign for a single move', 'unknown-campaign', () => one({ campaignId: 'nowhere' }), 'nowhere'],
      ['an unknown texter as a source', 'unknown-texter', () => reassign({ from: { texterIds: ['ghost'] } }), 'ghost'],
      [
        'an unknown texter as a target',
        'unknown-texter',
        () => reassign({ to: { texterIds: ['t1', 'ghost'] } }),
        'ghost',
      ],
      [
        'an unknown texter to unassign',
        'unknown-texter',
        () => unassign({ from: { texterIds: ['ghost'] }, confirm: 9 }),
        'ghost',
      ],
      [
        'a target that is only on another campaign',
        'unknown-texter',
        () => reassign({ to: { texterIds: ['t5'] } }),
        't5',
      ],
      ['an unknown conversation', 'unknown-conversation', () => one({ conversationId: UNKNOWN_ID }), UNKNOWN_ID],
      ['a conversation of another campaign', 'unknown-conversation', () => one({ campaignId: otherCampaignId }), ''],
      ['a paused target', 'target-inactive', () => reassign({ to: { texterIds: ['t1', 't4'] } }), 't4'],
      ['a paused target for a single move', 'target-inactive', () => one({ to: { texterIds: ['t4'] } }), 't4'],
      ['an empty target list', 'no-targets', () => reassign({ to: { texterIds: [] } }), 'empty'],
      [
        'everyone as the target when all texters are sources',
        'no-targets',
        () => reassign({ from: { texterIds: ['t1', 't2', 't3'] } }),
        'none',
      ],
      [
        'the source as the only target',
        'same-source-and-target',
        () => reassign({ from: { texterIds: ['t1'] }, to: { texterIds: ['t1'] } }),
        't1',
      ],
      [
        'the source as the only target, both named twice',
        'same-source-and-target',
        () => reassign({ from: { texterIds: ['t1', 't1'] }, to: { texterIds: ['t1', 't1'] } }),
        't1',
      ],
      ['an empty source list', 'bad-request', () => reassign({ from: { texterIds: [] } }), 'an empty list'],
      ['a count of 0', 'bad-request', () => reassign({ count: 0 }), '0'],
      ['a negative count', 'bad-request', () => reassign({ count: -5 }), '-5'],
      ['a count with a fraction', 'bad-request', () => reassign({ count: 1.5 }), '1.5'],
      ['a count beyond exact numbers', 'bad-request', () => reassign({ count: 2 ** 53 }), '9007199254740992'],
      ['a count that is a word', 'bad-request', () => reassign({ count: 'all' }), 'all'],
      ['a count that is a text', 'bad-request', () => reassign({ count: '5' }), '5'],
      ['an unknown status', 'bad-request', () => reassign({ status: 'needsResponse' }), 'needsResponse'],
      ['an unknown spread', 'bad-request', () => reassign({ spread: 'fair' }), 'fair'],
      [
        'a name instead of a conversation id',
        'bad-request',
        () => one({ conversationId: 'Chris' }),
        'a text of 5 characters',
      ],
      ['two targets for a single move', 'bad-request', () => one({ to: { texterIds: ['t1', 't2'] } }), ''],
      ['an unassign without a confirmation', 'confirmation-needed', () => unassign(), 'none'],
      [
        'an unassign of more conversations than were confirmed',
        'confirmation-drifted',
        () => unassign({ confirm: 2 }),
        '3',
      ],
      [
        'an unassign with a confirmation of 0',
        'confirmation-drifted',
        () => unassign({ from: { texterIds: ['t1'] }, confirm: 0 }),
        '2',
      ],
    ];

    it.each(REFUSED)('is refused and changes nothing: %s (%s)', async (_what, code, request, received) => {
      const refusal = await refusalOf(request());
      expect(refusal).toMatchObject({ code, expected: expect.stringMatching(/./) as string });
      expect(refusal.received).toContain(received);
      expect(await everyConversation(harness)).toBe(before);
    });

    it('is refused again with the stored refusal when it is sent again, even after the cause is gone', async () => {
      const request = reassign({ to: { texterIds: ['t4'] } });
      const first = await refusalOf(request);
      expect(await rawOperation(harness, request.operationId)).toMatchObject({
        state: 'failed',
        error: { code: first.code },
      });
      await harness.pause(campaignId, 't4', true);
      const again = await refusalOf(request);
      await queue.forget(request.operationId);
      const afterLoss = await refusalOf(request);
      await harness.pause(campaignId, 't4', false);
      const plain = ({ code, expected, received }: Refusal): object => ({ code, expected, received });
      expect([plain(again), plain(afterLoss)]).toEqual([plain(first), plain(first)]);
    });

    it('leaves a failed operation with an empty receipt, which does not block other operations', async () => {
      const request = unassign({ confirm: 1 });
      await refusalOf(request);
      const { receipt, campaignLock } = await rawOperation(harness, request.operationId);
      expect({ receipt, campaignLock }).toMatchObject({ receipt: { selected: 0, moved: 0 }, campaignLock: undefined });
      await expectWorkerStillWorks();
    });

    it('is refused when it has the id of a different request, whether or not the queue still has its job', async () => {
      const request = one({ expectedAssigneeId: 't3' });
      await (await sendRequest(harness.producer, request)).result();
      const other = asRequest({ ...request, to: { texterIds: ['t3'] } });
      expect(await refusalOf(other)).toMatchObject({ code: 'operation-conflict' });
      await queue.forget(request.operationId);
      expect(await refusalOf(other)).toMatchObject({ code: 'operation-conflict' });
      expect((await rawOperation(harness, request.operationId)).request).toEqual(request);
      expect(await everyConversation(harness)).toBe(before);
    });

    it('does not keep the original sender from its result when another program has used the operation id', async () => {
      const request = one({ expectedAssigneeId: 't3' });
      const answer = await (await sendRequest(harness.producer, request)).result();
      await queue.forget(request.operationId);
      await refusalOf(asRequest({ ...request, to: { texterIds: ['t3'] } }));
      const again = await (await sendRequest(harness.producer, request)).result();
      expect(again).toEqual({ ...answer, outcome: 'exists' });
      await queue.forget(request.operationId);
      await queue.queue.add('operation', 'garbage', { jobId: request.operationId });
      await until('the job to end', async () => (await queue.job(request.operationId))?.finishedOn);
      const afterGarbage = await (await sendRequest(harness.producer, request)).result();
      expect(afterGarbage).toEqual({ ...answer, outcome: 'exists' });
    });

    it('is refused on a closed campaign when it assigns conversations, but an unassign is accepted', async () => {
      const closed = await harness.seedCampaign(2);
      await harness.seedConversations(closed, [{ assigneeId: 't1' }, {}]);
      await harness.context.database.campaigns.updateOne({ _id: closed }, { $set: { closed: true } });
      expect(await refusalOf(reassign({ campaignId: closed }))).toMatchObject({ code: 'campaign-closed' });
      const unassigned = await sendRequest(harness.producer, unassign({ campaignId: closed, confirm: 1 }));
      expect((await unassigned.result()).receipt).toMatchObject({ moved: 1 });
    });
  });

  describe('in a job that another program adds to the queue', () => {
    const good = (jobId: string): object => ({
      kind: 'reassign',
      operationId: jobId,
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
      spread: 'even',
    });
    const job = (request: unknown, fields: object = {}): object => ({
      version: 1,
      sendId: 'other',
      request,
      ...fields,
    });
    const fromJson = (text: string): unknown => JSON.parse(text);

    const BODIES: [string, (jobId: string) => unknown][] = [
      ['garbage', () => 'garbage'],
      ['null', () => null],
      ['a number', () => 42],
      ['a list', () => []],
      ['an empty object', () => ({})],
      ['a text of 200 KB', () => 'x'.repeat(200_000)],
      ['an id of 200 KB', (jobId) => job({ ...good(jobId), campaignId: 'x'.repeat(200_000) })],
      ['an operator as a campaign id', (jobId) => job({ ...good(jobId), campaignId: { $ne: null } })],
      ['an operator as an operation id', (jobId) => job({ ...good(jobId), operationId: { $gt: '' } })],
      ['an operator as a texter', (jobId) => job({ ...good(jobId), from: { texterIds: [{ $ne: null }] } })],
      ['an operator as the sources', (jobId) => job({ ...good(jobId), from: { $ne: null } })],
      ['an operator as a status', (jobId) => job({ ...good(jobId), status: { $exists: true } })],
      [
        'a prototype in the job',
        (jobId) =>
          fromJson(`{"__proto__":{"polluted":1},"version":1,"sendId":"h","request":${JSON.stringify(good(jobId))}}`),
      ],
      [
        'a prototype in the request',
        (jobId) => job(fromJson(JSON.stringify(good(jobId)).replace('{', '{"__proto__":{"polluted":1},'))),
      ],
      ['a constructor in the request', (jobId) => job({ ...good(jobId), constructor: { prototype: { polluted: 1 } } })],
      ['an unknown key', (jobId) => job({ ...good(jobId), force: true })],
      ['an unknown kind', (jobId) => job({ ...good(jobId), kind: 'delete-all' })],
      ['a missing version', (jobId) => job(good(jobId), { version: undefined })],
      ['a version that is too large for one', (jobId) => job(good(jobId), { version: 10_000 })],
      ['an operation id that differs from the job id', () => job(good('another-operation'))],
      [
        '2,001 texters',
        (jobId) => job({ ...good(jobId), to: { texterIds: Array.from({ length: 2_001 }, (_, at) => `t${at}`) } }),
      ],
    ];

    it.each(BODIES)('fails the job at once with bad-request and leaves the worker running: %s', async (_what, body) => {
      const before = await everyConversation(harness);
      const jobId = harness.newId('job');
      await queue.queue.add('operation', body(jobId), { jobId, attempts: 5 });
      await expectRefused(jobId, 'bad-request');
      expect(await everyConversation(harness)).toBe(before);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      await expectWorkerStillWorks();
    });

    it('fails a job that was added without an id, because BullMQ gives it a number as its id', async () => {
      const { id = '' } = await queue.queue.add('operation', job(good('1')), { attempts: 5 });
      expect(id).toMatch(/^\d+$/);
      await expectRefused(id, 'bad-request');
    });

    it('fails a job with 50,000 nested objects at once, without a retry', async () => {
      const before = await everyConversation(harness);
      const jobId = harness.newId('job');
      const { queue: bull } = queue;
      await bull.pause();
      await bull.add('operation', {}, { jobId, attempts: 5 });
      const deep = '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000);
      const request = JSON.stringify({ ...good(jobId), from: 0 }).replace('"from":0', `"from":${deep}`);
      const data = `{"version":1,"sendId":"h","request":${request}}`;
      await queue.redis.hset(bull.toKey(jobId), 'data', data);
      await bull.resume();
      await expectRefused(jobId, 'bad-request');
      expect(await everyConversation(harness)).toBe(before);
      await expectWorkerStillWorks();
    });

    async function expectRefused(jobId: string, code: string): Promise<void> {
      const failed = await until(`job ${jobId} to fail`, async () => {
        const isFailed = await (await queue.job(jobId))?.isFailed();
        return isFailed === true && queue.job(jobId);
      });
      expect(parseFailureText(failed.failedReason)).toMatchObject({
        code,
        received: expect.stringMatching(/./) as string,
      });
      expect(failed.failedReason.length).toBeLessThan(500);
      expect(failed.attemptsMade).toBe(1);
    }
  });
});
