import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROLS_QUEUE } from '../../src/queue/job.ts';
import type { ImportResult } from '../../src/contacts/import.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { conversationDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';
import { phoneOf } from '../support/phones.ts';
import { resultOrCode } from '../support/any-request.ts';
import { until } from '../support/until.ts';

let harness: Harness;
let cli: Cli;

beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  cli = new Cli(cliEnv(harness.config));
});
afterAll(() => harness.close());

const importRows = (campaignId: string, ...rows: string[]): Promise<ImportResult> =>
  cli.json(['import', campaignId, '-', '--country', 'US'], `name,phone,opted_out,status\n${rows.join('\n')}\n`);

const optedOut = async (campaignId: string): Promise<string[]> => {
  const docs = await harness.context.database.conversations.find({ campaignId, optedOut: true }).toArray();
  return docs.map(({ contact }) => contact.phone).sort();
};

describe('an opt-out in an import', () => {
  const [ann, bob, cho] = ['+12025550101', '+12025550102', '+12025550103'];

  it('wins over an earlier row, a later row and an earlier file, and the answer counts it', async () => {
    const campaignId = await harness.seedCampaign(1);
    const first = await importRows(campaignId, `A,${ann},no,`, `B,${bob},no,`, `A,(202) 555-0101,yes,`, `C,${cho},,`);
    expect(first).toMatchObject({ added: 3, alreadyThere: 1, optedOut: 1 });
    expect(await importRows(campaignId, `B,${bob},yes,`)).toMatchObject({ added: 0, alreadyThere: 1, optedOut: 1 });
    expect(await optedOut(campaignId)).toEqual([ann, bob]);
    const { out } = await cli.run(['import', campaignId, '-'], `name,phone,opted_out\nA,${ann},yes\nC,${cho},yes\n`);
    expect(out).toContain('Added 0 contacts; 2 already existed; 1 opted out; 0 bad rows.');
  });

  it('is never lifted by an import', async () => {
    const campaignId = await harness.seedCampaign(1);
    expect(await importRows(campaignId, `A,${ann},yes,`, `A,${ann},no,`)).toMatchObject({ added: 1, optedOut: 1 });
    expect(await importRows(campaignId, `A,${ann},no,`)).toMatchObject({ optedOut: 0 });
    expect(await optedOut(campaignId)).toEqual([ann]);
  });

  it('holds although its row is rejected for another reason', async () => {
    const campaignId = await harness.seedCampaign(1);
    await importRows(campaignId, `A,${ann},no,`);
    const result = await importRows(campaignId, `A,${ann},yes,unknown`, `,${bob},yes,`, `B,${bob},no,`);
    expect(result).toMatchObject({ added: 1, rejectedCount: 2, optedOut: 2 });
    expect(await optedOut(campaignId)).toEqual([ann, bob]);
  });

  it('holds wherever it stands in a large file and in several files at the same time', async () => {
    const campaignId = await harness.seedCampaign(1);
    const numbers = Array.from({ length: 2_500 }, (_, index) => index);
    const file = (isOptedOut: (index: number) => boolean): string[] =>
      numbers.map((index) => `N,${phoneOf(index)},${isOptedOut(index) ? 'yes' : 'no'},`);
    const results = await Promise.all([
      importRows(campaignId, ...file(() => false)),
      importRows(campaignId, ...file((index) => index % 5 === 0).reverse()),
      importRows(campaignId, ...file((index) => index % 5 === 1), ...file((index) => index % 5 === 2)),
    ]);
    expect(await optedOut(campaignId)).toHaveLength((numbers.length / 5) * 3);
    expect(results.reduce((sum, result) => sum + result.optedOut, 0)).toBe((numbers.length / 5) * 3);
    expect(results.reduce((sum, result) => sum + result.added, 0)).toBe(numbers.length);
  });
});

describe('opting a person out', () => {
  it.each(['command line', 'producer'] as const)('by phone or conversation works with the %s', async (face) => {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    const other = await harness.seedCampaign(1);
    const docs = [1, 2, 3].map((number) => conversationDoc(number, { campaignId }));
    await harness.seeder.conversations([...docs, conversationDoc(1, { campaignId: other })]);
    const [a = '', b = '', c = ''] = docs.map(({ _id }) => _id.toHexString());
    const change = async (command: 'opt-out' | 'lift-opt-out', by: { phone?: string; conversationId?: string }) => {
      if (face === 'producer') {
        const request = { campaignId, ...by };
        return command === 'opt-out' ? harness.producer.optOut(request) : harness.producer.liftOptOut(request);
      }
      const { phone, conversationId = '' } = by;
      return cli.json([
        command,
        campaignId,
        ...(phone ? ['--phone', phone.slice(2)] : ['--conversation', conversationId]),
      ]);
    };
    const answer = { campaignId, optedOut: true, changed: 1 };
    expect(await change('opt-out', { phone: phoneOf(1) })).toEqual({ ...answer, conversationIds: [a] });
    expect(await change('opt-out', { conversationId: b })).toEqual({ ...answer, conversationIds: [b] });
    expect(await change('opt-out', { conversationId: b })).toMatchObject({ changed: 0, optedOut: true });
    const reassign = { campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
    const sent = await harness.producer.reassign({ operationId: harness.newId('op'), ...reassign });
    expect((await sent.result()).receipt).toMatchObject({ moved: 1, skipped: [{ reason: 'opted-out', count: 2 }] });
    expect(await change('lift-opt-out', { phone: phoneOf(2) })).toMatchObject({ optedOut: false, changed: 1 });
    expect(await optedOut(campaignId)).toEqual([phoneOf(1)]);
    expect(await optedOut(other)).toEqual([]);
    expect(c).not.toBe('');
  });

  it('reaches every conversation of the number that an earlier version stored in another form', async () => {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    const phones = ['+12025550101', '12025550101', '2025550101', '0012025550101', '2025550102'];
    const docs = phones.map((phone, index) => ({
      ...conversationDoc(index, { campaignId }),
      contact: { name: 'Ann', phone },
    }));
    await harness.seeder.conversations(docs);
    const first = docs[0]?._id.toHexString() ?? '';
    expect(await harness.producer.optOut({ campaignId, conversationId: first })).toMatchObject({ changed: 4 });
    expect(await optedOut(campaignId)).toEqual(phones.slice(0, 4).sort());
    expect(await harness.producer.liftOptOut({ campaignId, phone: '+12025550101' })).toMatchObject({ changed: 4 });
  });

  it('is refused for an unknown number, conversation or campaign, and no error contains a number', async () => {
    const campaignId = await harness.seedCampaign(1);
    const ofNobody = { phone: '+12025550101' };
    const requests = [
      [{ campaignId, ...ofNobody }, 'unknown-conversation'],
      [{ campaignId, conversationId: 'f'.repeat(24) }, 'unknown-conversation'],
      [{ campaignId: 'nowhere', ...ofNobody }, 'unknown-campaign'],
      [{ campaignId }, 'bad-request'],
      [{ campaignId, ...ofNobody, conversationId: 'f'.repeat(24) }, 'bad-request'],
      [{ campaignId, phone: '202-555-0101' }, 'bad-request'],
      [{ campaignId, phone: 2025550101 as unknown as string }, 'bad-request'],
    ] as const;
    for (const [request, code] of requests) {
      const refused = harness.producer.optOut(request);
      const error: unknown = await refused.catch((reason: unknown) => reason);
      expect(await resultOrCode(refused)).toBe(code);
      const { message, received } = error as { message: string; received: string };
      expect(`${message} ${received}`).not.toContain('5550101');
    }
    for (const args of [[], ['--phone', '555-0101'], ['--phone', '+15550100001'], ['--phone', '+12025550101']]) {
      expect(JSON.stringify(await cli.refusal(['opt-out', campaignId, ...args]))).not.toMatch(/555.?01(?!99)/);
    }
  });

  it('leaves no phone number in Redis after its job has run, whether it was done or refused', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seeder.conversations([conversationDoc(7, { campaignId })]);
    await harness.producer.optOut({ campaignId, phone: phoneOf(7) });
    await resultOrCode(harness.producer.optOut({ campaignId, phone: phoneOf(8) }));
    const { redisUrl, prefix } = harness.config.queue;
    const redis = new Redis(redisUrl);
    const queue = new Queue(CONTROLS_QUEUE, { connection: redis, prefix });
    const jobs = await queue.getJobs(['completed', 'failed']);
    expect(jobs.length).toBeGreaterThanOrEqual(2);
    const events = await redis.xrange(queue.toKey('events'), '-', '+');
    const stored = JSON.stringify([events, ...jobs.map((job) => job.asJSON())]);
    expect(stored).toContain(campaignId);
    expect(stored).not.toMatch(/1212200000[78]/);
    await queue.close();
    await redis.quit();
  });

  it('gives the conversation to a claim that waits when the opt-out is lifted', async () => {
    const rules = { enabled: true, batchMax: 5, openMax: 5, repliesMax: null };
    for (const face of ['producer', 'command line'] as const) {
      const campaignId = await harness.seedCampaign(1, { selfAssign: rules });
      const doc = conversationDoc(1, { campaignId, optedOut: true });
      await harness.seeder.conversations([doc]);
      const claim = { operationId: harness.newId('cl'), campaignId, texterId: 't1', count: 1, waitMs: 60_000 };
      const sent = await harness.producer.selfAssign(claim);
      await until('the claim to wait', () => harness.isWaiting(claim.operationId));
      if (face === 'producer') await harness.producer.liftOptOut({ campaignId, phone: phoneOf(1) });
      else await cli.json(['lift-opt-out', campaignId, '--phone', phoneOf(1)]);
      expect((await sent.result()).conversationIds).toEqual([doc._id.toHexString()]);
    }
  });
});
