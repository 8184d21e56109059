import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';

interface Senders {
  readonly senders: { readonly name: string; readonly counts: Record<string, number>; readonly total: number }[];
  readonly pool: { readonly total: number };
}

interface Result {
  readonly outcome: string;
  readonly receipt: Receipt;
}

const CONTACTS = `name,phone,status,external_id,last_inbound_at
Ann,+12025550101,needs-reply,ann,2020-09-01T10:00:00Z
Chris,+12025550102,needs-reply,chris,2020-09-01T11:00:00Z
Dan,+12025550103,not-started,dan,
Eve,+12025550104,not-started,eve,
Fay,+12025550105,in-progress,fay,2020-09-01T12:00:00Z
Gus,+12025550106,closed,gus,2020-09-01T13:00:00Z
`;
const RALLY = 'Bartlett 2020 Interest Rally September';

describe('the steps of the help video on the command line', () => {
  let harness: Harness;
  let cli: Cli;

  const totals = async (): Promise<Record<string, number>> => {
    const { senders, pool } = await cli.json<Senders>(['senders', RALLY]);
    return { ...Object.fromEntries(senders.map(({ name, total }) => [name, total])), pool: pool.total };
  };

  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    cli = new Cli(cliEnv(harness.config));
  });
  afterAll(() => harness.close());

  it('creates a campaign with two texters and six conversations in the pool', async () => {
    await cli.json(['campaign', 'create', RALLY]);
    await cli.json(['texter', 'add', RALLY, 'Kevin']);
    await cli.json(['texter', 'add', RALLY, 'Rebecca']);
    expect(await cli.json(['import', RALLY, '-'], CONTACTS)).toMatchObject({
      added: 6,
      alreadyThere: 0,
      rejectedCount: 0,
    });
    expect(await totals()).toEqual({ Kevin: 0, Rebecca: 0, pool: 6 });
  });

  it('reassigns the whole pool to everyone, 3 to each', async () => {
    const result = await cli.json<Result>(['reassign', RALLY, '--from', 'pool', '--to', 'everyone', '--status', 'any']);
    expect(result).toMatchObject({
      outcome: 'created',
      state: 'done',
      receipt: { moved: 6, selected: 6, skipped: [] },
    });
    expect(await totals()).toEqual({ Kevin: 3, Rebecca: 3, pool: 0 });
  });

  it('reassigns one not-started conversation from Kevin to Rebecca', async () => {
    const some = ['--from', 'Kevin', '--to', 'Rebecca', '--status', 'not-started', '--count', '1'];
    expect(await cli.json(['reassign', RALLY, ...some])).toMatchObject({ receipt: { moved: 1, asked: 1 } });
    expect(await totals()).toEqual({ Kevin: 2, Rebecca: 4, pool: 0 });
  });

  it('reassigns the conversation with Chris from Rebecca to Kevin, and says so in one line', async () => {
    const one = ['--conversation', 'Chris', '--from', 'Rebecca', '--to', 'Kevin'];
    expect((await cli.run(['reassign', RALLY, ...one])).out).toMatch(
      /^Moved 1 from Rebecca to Kevin\. Kevin now has 3, Rebecca 3\. \(operation op_[0-9a-f]+\)\n$/,
    );
    expect(await totals()).toEqual({ Kevin: 3, Rebecca: 3, pool: 0 });
    const chris = await cli.json<{ history: unknown[] }>(['conversation', RALLY, 'chris']);
    expect(chris).toMatchObject({ name: 'Chris', status: 'needs-reply' });
    expect(chris.history).toHaveLength(2);
  });

  it('unassigns all conversations of Rebecca only with the confirmed number', async () => {
    const all = ['unassign', RALLY, '--from', 'Rebecca'];
    const refusal = await cli.refusal(all);
    expect(refusal).toMatchObject({ code: 'confirmation-needed' });
    expect(refusal.expected).toContain('--confirm 3');
    expect((await cli.refusal([...all, '--confirm', '2'])).code).toBe('confirmation-drifted');
    expect(await totals()).toEqual({ Kevin: 3, Rebecca: 3, pool: 0 });
    const preview = await cli.json<{ moved: number }>(['preview', RALLY, '--from', 'Rebecca', '--to', 'pool']);
    expect(preview.moved).toBe(3);
    const done = await cli.json<Result>([...all, '--confirm', String(preview.moved)]);
    expect(done.receipt.moved).toBe(3);
    expect(await totals()).toEqual({ Kevin: 3, Rebecca: 0, pool: 3 });
  });

  it('asks for the number on a terminal and accepts no other answer', async () => {
    const all = ['unassign', RALLY, '--from', 'Kevin'];
    const wrong = await cli.runAtTerminal(all, 'yes');
    expect(wrong.status).toBe(2);
    expect(wrong.err).toContain('Unassign all 3 conversations from Kevin? Type the number to confirm: ');
    expect(await totals()).toMatchObject({ Kevin: 3 });
    const right = await cli.runAtTerminal(all, '3');
    expect(right).toMatchObject({ status: 0 });
    expect(right.out).toContain('Moved 3 from Kevin to the pool. Kevin now has 0, the pool 6.');
    expect(await totals()).toEqual({ Kevin: 0, Rebecca: 0, pool: 6 });
  });

  it('stores a receipt and returns it again for the same operation id', async () => {
    const again = ['reassign', RALLY, '--from', 'pool', '--to', 'Kevin', '--status', 'any', '--id', 'once'];
    const first = await cli.json<Result>([...again, '--count', '4', '--actor', 'lead_1', '--reason', 'shift change']);
    expect(first).toMatchObject({ outcome: 'created', receipt: { moved: 4 } });
    const second = await cli.json<Result>([...again, '--count', '4', '--actor', 'lead_1', '--reason', 'shift change']);
    expect(second).toEqual({ ...first, outcome: 'exists' });
    expect((await cli.refusal([...again, '--count', '5'])).code).toBe('operation-conflict');
    expect(await totals()).toEqual({ Kevin: 4, Rebecca: 0, pool: 2 });
    const kept = await cli.json(['operation', 'once']);
    expect(kept).toMatchObject({
      state: 'done',
      receipt: first.receipt,
      request: { actorId: 'lead_1', reason: 'shift change' },
    });
    const { operations } = await cli.json<{ operations: { operationId: string }[] }>(['operations', RALLY]);
    expect(operations[0]?.operationId).toBe('once');
    const page = await cli.json<{ conversations: object[]; next: string }>(['moves', 'once', '--limit', '3']);
    expect(page.conversations).toHaveLength(3);
    const last = await cli.json<{ conversations: object[] }>(['moves', 'once', '--after', page.next]);
    expect(last).toMatchObject({ state: 'done', conversations: [{ result: 'moved', from: null }], next: null });
    const text = (await cli.run(['moves', 'once', '--limit', '3'])).out;
    expect(text).toMatch(/[0-9a-f]{24} {2}pool {2}Kevin /);
    expect(text).toContain(`--after ${page.next}`);
    const csv = (await cli.run(['moves', 'once', '--csv'])).out.trim().split('\n');
    expect(csv[0]).toBe('conversation_id,result,from_id,to_id,status,at,reason');
    expect(csv.slice(1)).toHaveLength(4);
    expect(csv[1]).toMatch(/^[0-9a-f]{24},moved,,t_[^,]+,needs-reply,2\d{3}-[^,]+Z,$/);
    expect((await cli.refusal(['moves', 'once', '--csv'])).code).toBe('bad-request');
  });

  it('sends an operation without waiting and returns its result later', async () => {
    const sent = await cli.json<{ operationId: string }>([
      ...['reassign', RALLY, '--from', 'Kevin', '--to', 'Rebecca', '--status', 'any', '--no-wait'],
    ]);
    const waited = [
      'reassign',
      RALLY,
      '--from',
      'Kevin',
      '--to',
      'Rebecca',
      '--status',
      'any',
      '--id',
      sent.operationId,
    ];
    expect(await cli.json(waited)).toMatchObject({
      operationId: sent.operationId,
      outcome: 'exists',
      receipt: { moved: 4 },
    });
  });
});
