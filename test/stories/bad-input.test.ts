import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { Harness } from '../support/harness.ts';
import { RawQueue } from '../support/raw-queue.ts';
import { everyConversation, rawOperation } from '../support/raw.ts';
import { send, type AnyRequest } from '../support/send.ts';
import { until } from '../support/until.ts';

const UNKNOWN_ID = '0123456789abcdef01234567';

/** What no type would let through, but a program in another language may send. */
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

  const asked = (): { operationId: string; campaignId: string } => ({ operationId: harness.newId('op'), campaignId });
  const reassign = (more: object = {}): AnyRequest =>
    asRequest({ kind: 'reassign', ...asked(), from: 'pool', to: 'everyone', status: 'any', ...more });
  const unassign = (more: object = {}): AnyRequest =>
    asRequest({ kind: 'unassign', ...asked(), from: 'everyone', status: 'any', ...more });
  const one = (more: object = {}): AnyRequest =>
    asRequest({ kind: 'reassign-one', ...asked(), conversationId: ids[0], to: { texterIds: ['t2'] }, ...more });

  async function refusalOf(request: AnyRequest): Promise<Refusal> {
    const error: unknown = await send(harness.producer, request)
      .then((sent) => sent.result())
      .then(
        (result) => result,
        (refusal: unknown) => refusal,
      );
    if (error instanceof Refusal) return error;
    throw new Error(`expected a refusal, got ${JSON.stringify(error)} ${String(error)}`);
  }

  /** The worker is none the worse for it. */
  async function expectStillServing(): Promise<void> {
    const good = one({ expectedAssigneeId: 't3' });
    const result = await (await send(harness.producer, good)).result();
    expect(result.receipt).toMatchObject({ moved: 0, skipped: [{ reason: 'assignee-changed', count: 1 }] });
  }

  describe('that the producer and the worker refuse', () => {
    let before: string;
    beforeEach(async () => {
      before = await everyConversation(harness);
    });

    const REFUSED: [string, string, () => AnyRequest, string][] = [
      ['an unknown campaign', 'unknown-campaign', () => reassign({ campaignId: 'nowhere' }), 'nowhere'],
      ['an unknown campaign, of a single one', 'unknown-campaign', () => one({ campaignId: 'nowhere' }), 'nowhere'],
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
      ['a target of another campaign only', 'unknown-texter', () => reassign({ to: { texterIds: ['t5'] } }), 't5'],
      ['an unknown conversation', 'unknown-conversation', () => one({ conversationId: UNKNOWN_ID }), UNKNOWN_ID],
      ['a conversation of another campaign', 'unknown-conversation', () => one({ campaignId: otherCampaignId }), ''],
      ['a paused target', 'target-inactive', () => reassign({ to: { texterIds: ['t1', 't4'] } }), 't4'],
      ['a paused target of a single one', 'target-inactive', () => one({ to: { texterIds: ['t4'] } }), 't4'],
      ['an empty target list', 'no-targets', () => reassign({ to: { texterIds: [] } }), 'empty'],
      [
        'everyone, when there is nobody else',
        'no-targets',
        () => reassign({ from: { texterIds: ['t1', 't2', 't3'] } }),
        'none',
      ],
      [
        'the source as its only target',
        'same-source-and-target',
        () => reassign({ from: { texterIds: ['t1'] }, to: { texterIds: ['t1'] } }),
        't1',
      ],
      [
        'the source as its only target, twice',
        'same-source-and-target',
        () => reassign({ from: { texterIds: ['t1', 't1'] }, to: { texterIds: ['t1', 't1'] } }),
        't1',
      ],
      ['an empty source list', 'bad-request', () => reassign({ from: { texterIds: [] } }), '[]'],
      ['a count of 0', 'bad-request', () => reassign({ count: 0 }), '0'],
      ['a negative count', 'bad-request', () => reassign({ count: -5 }), '-5'],
      ['half a conversation', 'bad-request', () => reassign({ count: 1.5 }), '1.5'],
      ['a count beyond exact numbers', 'bad-request', () => reassign({ count: 2 ** 53 }), '9007199254740992'],
      ['a count that is a word', 'bad-request', () => reassign({ count: 'all' }), 'all'],
      ['a count that is a digit in quotes', 'bad-request', () => reassign({ count: '5' }), '5'],
      ['an unknown status', 'bad-request', () => reassign({ status: 'needsResponse' }), 'needsResponse'],
      ['an unknown spread', 'bad-request', () => reassign({ spread: 'fair' }), 'fair'],
      ['a conversation id that is none', 'bad-request', () => one({ conversationId: 'Chris' }), 'Chris'],
      ['two targets for a single one', 'bad-request', () => one({ to: { texterIds: ['t1', 't2'] } }), ''],
      ['unassigning all, unconfirmed', 'confirmation-needed', () => unassign(), 'none'],
      [
        'unassigning all, when there are more than confirmed',
        'confirmation-drifted',
        () => unassign({ confirm: 2 }),
        '3',
      ],
      [
        'unassigning all of one, confirmed as nobody',
        'confirmation-drifted',
        () => unassign({ from: { texterIds: ['t1'] }, confirm: 0 }),
        '2',
      ],
    ];

    it.each(REFUSED)('%s: %s, and nothing has changed', async (_what, code, request, got) => {
      const refusal = await refusalOf(request());
      expect(refusal).toMatchObject({ code, expected: expect.stringMatching(/./) as string });
      expect(refusal.received).toContain(got);
      expect(await everyConversation(harness)).toBe(before);
    });

    it('the same again when it is sent again: the ledger has kept it', async () => {
      const request = reassign({ to: { texterIds: ['t4'] } });
      const first = await refusalOf(request);
      expect(await rawOperation(harness, request.operationId)).toMatchObject({
        state: 'failed',
        error: { code: first.code },
      });
      await harness.pause(campaignId, 't4', true);
      const again = await refusalOf(request);
      await queue.forget(request.operationId);
      const andAgain = await refusalOf(request);
      await harness.pause(campaignId, 't4', false);
      const plain = ({ code, expected, received }: Refusal): object => ({ code, expected, received });
      expect([plain(again), plain(andAgain)]).toEqual([plain(first), plain(first)]);
    });

    it('a refused operation has a receipt of nothing, and holds up nobody', async () => {
      const request = unassign({ confirm: 1 });
      await refusalOf(request);
      const { receipt, campaignLock } = await rawOperation(harness, request.operationId);
      expect({ receipt, campaignLock }).toMatchObject({ receipt: { selected: 0, moved: 0 }, campaignLock: undefined });
      await expectStillServing();
    });

    it('the id of an operation with another request, met in the queue or only in the ledger', async () => {
      const request = one({ expectedAssigneeId: 't3' });
      await (await send(harness.producer, request)).result();
      const other = asRequest({ ...request, to: { texterIds: ['t3'] } });
      expect(await refusalOf(other)).toMatchObject({ code: 'operation-conflict' });
      await queue.forget(request.operationId);
      expect(await refusalOf(other)).toMatchObject({ code: 'operation-conflict' });
      expect((await rawOperation(harness, request.operationId)).request).toEqual(request);
      expect(await everyConversation(harness)).toBe(before);
    });

    it('a stranger who takes an id first, which then serves its rightful sender all the same', async () => {
      const request = one({ expectedAssigneeId: 't3' });
      const answer = await (await send(harness.producer, request)).result();
      await queue.forget(request.operationId);
      await refusalOf(asRequest({ ...request, to: { texterIds: ['t3'] } }));
      const again = await (await send(harness.producer, request)).result();
      expect(again).toEqual({ ...answer, outcome: 'exists' });
      await queue.forget(request.operationId);
      await queue.queue.add('operation', 'garbage', { jobId: request.operationId });
      await until('the garbage to be refused', async () => (await queue.job(request.operationId))?.isFailed());
      const andAgain = await (await send(harness.producer, request)).result();
      expect(andAgain).toEqual({ ...answer, outcome: 'exists' });
    });

    it('work given out on a closed campaign, which it may still leave', async () => {
      const closed = await harness.seedCampaign(2);
      await harness.seedConversations(closed, [{ assigneeId: 't1' }, {}]);
      await harness.context.database.campaigns.updateOne({ _id: closed }, { $set: { closed: true } });
      expect(await refusalOf(reassign({ campaignId: closed }))).toMatchObject({ code: 'campaign-closed' });
      const released = await send(harness.producer, unassign({ campaignId: closed, confirm: 1 }));
      expect((await released.result()).receipt).toMatchObject({ moved: 1 });
    });
  });

  describe('put into the queue by hand', () => {
    const good = (jobId: string): object => ({
      kind: 'reassign',
      operationId: jobId,
      campaignId,
      from: 'pool',
      to: 'everyone',
      status: 'any',
      spread: 'even',
    });
    const job = (request: unknown, more: object = {}): object => ({ version: 1, sendId: 'hand', request, ...more });
    const fromJson = (text: string): unknown => JSON.parse(text);

    const BODIES: [string, (jobId: string) => unknown][] = [
      ['garbage', () => 'garbage'],
      ['nothing', () => null],
      ['a number', () => 42],
      ['a list', () => []],
      ['an empty object', () => ({})],
      ['200 KB of a string', () => 'x'.repeat(200_000)],
      ['200 KB in an id', (jobId) => job({ ...good(jobId), campaignId: 'x'.repeat(200_000) })],
      ['an operator as a campaign id', (jobId) => job({ ...good(jobId), campaignId: { $ne: null } })],
      ['an operator as an operation id', (jobId) => job({ ...good(jobId), operationId: { $gt: '' } })],
      ['an operator as a texter', (jobId) => job({ ...good(jobId), from: { texterIds: [{ $ne: null }] } })],
      ['an operator for the sources', (jobId) => job({ ...good(jobId), from: { $ne: null } })],
      ['an operator as a status', (jobId) => job({ ...good(jobId), status: { $exists: true } })],
      [
        'a prototype at the top',
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
      ['no version', (jobId) => job(good(jobId), { version: undefined })],
      ['a version to come', (jobId) => job(good(jobId), { version: 2 })],
      ['another operation than its job id says', () => job(good('somebody-elses'))],
      [
        '2,001 texters',
        (jobId) => job({ ...good(jobId), to: { texterIds: Array.from({ length: 2_001 }, (_, at) => `t${at}`) } }),
      ],
    ];

    it.each(BODIES)('%s: the job fails at once as bad-request, and the worker goes on', async (_what, body) => {
      const before = await everyConversation(harness);
      const jobId = harness.newId('hand');
      await queue.queue.add('operation', body(jobId), { jobId, attempts: 5 });
      await expectRefused(jobId, 'bad-request');
      expect(await everyConversation(harness)).toBe(before);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      await expectStillServing();
    });

    it('a job without an id of its own gets digits from the queue, and is refused', async () => {
      const { id = '' } = await queue.queue.add('operation', job(good('1')), { attempts: 5 });
      expect(id).toMatch(/^\d+$/);
      await expectRefused(id, 'bad-request');
    });

    it('a body nested deeper than any parser likes is refused, not tried again', async () => {
      const before = await everyConversation(harness);
      const jobId = harness.newId('hand');
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
      await expectStillServing();
    });

    async function expectRefused(jobId: string, code: string): Promise<void> {
      const failed = await until(`job ${jobId} to fail`, async () => {
        const isFailed = await (await queue.job(jobId))?.isFailed();
        return isFailed === true && queue.job(jobId);
      });
      expect(failed.failedReason).toMatch(new RegExp(`^${code}: expected .+, got .+`, 's'));
      expect(failed.failedReason.length).toBeLessThan(500);
      expect(failed.attemptsMade).toBe(1);
    }
  });
});
