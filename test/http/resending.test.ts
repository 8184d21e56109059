import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationBody } from '../../src/http/operation-shapes.ts';
import { Harness } from '../support/harness.ts';
import { HttpHarness, type Client } from './support.ts';

describe('a key that is known already', () => {
  let harness: Harness;
  let http: HttpHarness;
  let client: Client;
  let campaignId: string;
  let ended: string;
  let drifted: string;
  const unassign = { kind: 'unassign', from: { texterIds: ['t1'] }, status: 'any' };
  const path = (rest: string) => `/v1/campaigns/${campaignId}/${rest}`;
  const keyed = (id: string, body: object) => ({ body, headers: { 'idempotency-key': id } });
  const send = (rest: string, id: string, body: object) =>
    client.post<OperationBody>(path(rest), body, { 'idempotency-key': id });

  /** No worker runs during the tests, so that what is sent stays in the queue. */
  beforeAll(async () => {
    harness = await Harness.open();
    http = await HttpHarness.start(harness);
    client = await http.client();
    campaignId = await harness.seedCampaign(2, { selfAssign: { enabled: true } });
    await harness.seedConversations(campaignId, [{}, { assigneeId: 't1' }, { assigneeId: 't1' }]);
    [ended, drifted] = [harness.newId('op'), harness.newId('op')];
    const worker = await harness.startWorker();
    const claimed = await harness.producer.selfAssign({ operationId: ended, campaignId, texterId: 't2', count: 1 });
    await claimed.result();
    const request = {
      operationId: drifted,
      campaignId,
      from: { texterIds: ['t1'] },
      status: 'any',
      confirm: 1,
    } as const;
    const refused = await harness.producer.unassign(request);
    await expect(refused.result()).rejects.toMatchObject({ code: 'confirmation-drifted' });
    await worker.close();
  });
  afterAll(async () => {
    await http.close();
    await harness.close();
  });

  it('refuses another request, also when the operation that has it was refused and may be sent again', async () => {
    const other = { ...unassign, from: { texterIds: ['t2'] }, confirm: 1 };
    const problem = await client.problem('POST', path('operations'), keyed(drifted, other));
    expect(problem).toMatchObject({ status: 422, code: 'operation-conflict' });
  });

  it('answers a refused operation that is sent again as sent, and shows its end when a worker has run it', async () => {
    const again = await send('operations', drifted, { ...unassign, confirm: 2 });
    expect(again).toMatchObject({ status: 202, body: { operationId: drifted, state: 'sent', error: null } });
    const worker = await harness.startWorker();
    await expect
      .poll(async () => (await client.get(path(`operations/${drifted}`))).body, { timeout: 20_000 })
      .toMatchObject({
        state: 'done',
        receipt: { moved: 2 },
      });
    await worker.close();
  });

  it('refuses a claim under the key of an operation, of another claim, and of what no worker has accepted', async () => {
    const claim = { texterId: 't1', count: 1 };
    const [sentOperation, sentClaim] = [harness.newId('op'), harness.newId('op')];
    await send('operations', sentOperation, { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' });
    await send('claims', sentClaim, claim);
    for (const key of [drifted, ended, sentOperation]) {
      const problem = await client.problem('POST', path('claims'), keyed(key, claim));
      expect({ key, ...problem }).toMatchObject({ key, status: 422, code: 'operation-conflict' });
    }
    const problem = await client.problem('POST', path('operations'), keyed(sentClaim, { ...unassign, confirm: 0 }));
    expect(problem).toMatchObject({ status: 422, code: 'operation-conflict' });
    expect(await send('claims', sentClaim, claim)).toMatchObject({ status: 202, body: { state: 'sent' } });
    const repeated = await send('claims', ended, { texterId: 't2', count: 1 });
    expect(repeated).toMatchObject({ status: 200, body: { state: 'done', receipt: { moved: 1 } } });
    expect(repeated.headers.get('idempotent-replayed')).toBe('true');
  });
});
