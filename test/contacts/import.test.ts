import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setActive, setClosed } from '../../src/campaigns/index.ts';
import { importContacts, type ImportResult } from '../../src/contacts/import.ts';
import { REJECTED_LISTED_MAX } from '../../src/contacts/row-import.ts';
import { sourceOf, type ContactSource } from '../../src/contacts/source.ts';
import { STATUSES } from '../../src/domain/conversation.ts';
import { Harness } from '../support/harness.ts';
import { phoneOf } from '../support/phones.ts';

const HEADER = ['phone', 'Name ', 'STATUS', 'assignee', 'opted_out', 'created_at', 'external_id'];

interface Row {
  readonly cells: string[];
  readonly isGood: boolean;
}

const phone = fc.integer({ min: 0, max: 30 }).map((tail) => `+1 (202) 555-01${String(tail).padStart(2, '0')}`);
const good = fc
  .record({
    phone,
    name: fc
      .string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('A', 'ö', '"', ',', ' b', '\n', '\u200b', '👩‍👩‍👧') })
      .map((text) => `N${text}`),
    status: fc.constantFrom('', ...STATUSES, 'Needs-Reply'),
    assignee: fc.constantFrom('', 't1', 'Texter 2'),
    optedOut: fc.constantFrom('', 'true', 'no', '1', 'YES'),
    createdAt: fc.constantFrom('', '2020-09-01', '2020-09-01T10:00:00Z'),
  })
  .chain((row) => fc.constantFrom('', `x${row.phone}`).map((externalId) => ({ ...row, externalId })));
const goodRow = good.map((row): Row => ({ cells: Object.values(orderedCells(row)), isGood: true }));
const flaw = fc.constantFrom<[number, string]>(
  [0, ''],
  [0, '12'],
  [0, 'call me'],
  [0, '(202) 555-0199'],
  [0, '+15550100001'],
  [1, '  '],
  [1, 'bell \u0007'],
  [1, 'right \u202e left'],
  [1, '\u200b\u3164'],
  [1, 'x'.repeat(201)],
  [1, 'latin \ufffd'],
  [2, 'started'],
  [3, 'Nobody'],
  [3, 'pool'],
  [4, 'maybe'],
  [5, '01/09/2020'],
  [5, '2021-02-29'],
);
const badRow = fc
  .tuple(good, flaw)
  .map(([row, [at, value]]): Row => ({ cells: orderedCells(row).with(at, value), isGood: false }));
const raggedRow = good.map((row): Row => ({ cells: orderedCells(row).slice(1), isGood: false }));
const rows = fc.array(fc.oneof({ weight: 4, arbitrary: goodRow }, badRow, raggedRow), { minLength: 1, maxLength: 40 });

function orderedCells(row: {
  [Key in 'phone' | 'name' | 'status' | 'assignee' | 'optedOut' | 'createdAt' | 'externalId']: string;
}) {
  return [row.phone, row.name, row.status, row.assignee, row.optedOut, row.createdAt, row.externalId];
}

const records = (...cells: string[][]): ContactSource => sourceOf(HEADER, cells);

describe('importing contacts', () => {
  let harness: Harness;

  beforeAll(async () => {
    harness = await Harness.open();
  });
  afterAll(() => harness.close());

  const run = (campaignId: string, ...cells: string[][]): Promise<ImportResult> =>
    importContacts(harness.context, campaignId, records(...cells), { acceptRejected: true });

  it('adds each good row once, rejects each bad row and adds nothing the second time', async () => {
    await fc.assert(
      fc.asyncProperty(rows, async (wanted) => {
        const campaignId = await harness.seedCampaign(2);
        const cells = wanted.map((row) => row.cells);
        const goodOnes = wanted.filter((row) => row.isGood);
        const phones = new Set(goodOnes.map((row) => row.cells[0]));
        const rejectedLines = wanted.flatMap((row, index) => (row.isGood ? [] : [index + 2]));

        const first = await run(campaignId, ...cells);
        expect(first).toMatchObject({ added: phones.size, alreadyThere: goodOnes.length - phones.size });
        expect(first.rejected.map(({ line }) => line)).toEqual(rejectedLines);
        expect(first.rejectedCount).toBe(rejectedLines.length);
        const added = await harness.context.database.conversations.find({ campaignId }).sort({ _id: 1 }).toArray();
        expect(added).toHaveLength(phones.size);

        const second = await run(campaignId, ...cells);
        expect(second).toMatchObject({ added: 0, alreadyThere: goodOnes.length, rejectedCount: rejectedLines.length });
        expect(await harness.context.database.conversations.find({ campaignId }).sort({ _id: 1 }).toArray()).toEqual(
          added,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('writes every field of a row', async () => {
    const campaignId = await harness.seedCampaign(2);
    await run(campaignId, ['+1 202-555-0101', ' Ann ', 'needs-reply', 'Texter 2', 'no', '2020-09-01', 'x1']);
    await run(campaignId, ['+1 202-555-0102', 'Bob', '', '', 'yes', '', '']);
    const byName = (name: string) =>
      harness.context.database.conversations.findOne({ campaignId, 'contact.name': name });
    const createdAt = new Date('2020-09-01T00:00:00Z');
    expect(await byName('Ann')).toEqual({
      _id: expect.anything() as unknown,
      campaignId,
      externalId: 'x1',
      contact: { name: 'Ann', phone: '+12025550101' },
      assigneeId: 't2',
      status: 'needs-reply',
      waitingSince: createdAt,
      optedOut: false,
      assignmentVersion: 0,
      assignedAt: expect.any(Date) as unknown,
      lastInboundAt: null,
      lastOutboundAt: null,
      lastOperationId: null,
      history: [],
      createdAt,
    });
    const bob = await byName('Bob');
    expect(bob).toMatchObject({
      assigneeId: null,
      assignedAt: null,
      externalId: null,
      status: 'not-started',
      optedOut: true,
    });
    expect(bob?.waitingSince).toEqual(bob?.createdAt);
  });

  it('adds each contact once when several imports run at the same time', async () => {
    const campaignId = await harness.seedCampaign(1);
    const cells = Array.from({ length: 3_000 }, (_, index) => [phoneOf(index), 'N', '', '', '', '', '']);
    const results = await Promise.all([
      run(campaignId, ...cells),
      run(campaignId, ...cells.toReversed()),
      run(campaignId, ...cells),
    ]);
    const added = results.reduce((sum, result) => sum + result.added, 0);
    expect(added).toBe(3_000);
    for (const result of results) expect(result.added + result.alreadyThere).toBe(3_000);
    expect(await harness.context.database.conversations.countDocuments({ campaignId })).toBe(3_000);
  });

  it('repeats no cell of a bad row in its reason', async () => {
    const campaignId = await harness.seedCampaign(1);
    const good = ['+12025550101', 'Ann', '', '', '', '', ''];
    const bad = good.map((_, column) => good.with(column, column === 1 ? 'secret\u0007' : 'secret'));
    const result = await run(campaignId, ...bad.slice(0, -1), [...good, 'secret']);
    expect(result.rejected.map(({ reason }) => reason)).toEqual([
      'the phone number contains letters',
      'the name must not contain control characters',
      'the status must be needs-reply, not-started, in-progress, awaiting-contact, closed, or empty for not-started; a column about something else can be ignored',
      'the assignee is not a texter of the campaign; write an id or an exact name, or leave the cell empty for the pool',
      'opted_out must be a word such as yes, no, true, false, STOP or a date, or empty for no',
      'created_at must be an ISO 8601 date such as 2020-09-01 or 2020-09-01T10:00:00Z',
      'the row has more cells than the header line, which has 7',
    ]);
  });

  it('lists the first rejected rows and counts the others', async () => {
    const campaignId = await harness.seedCampaign(1);
    const bad = ['none', 'Ann', '', '', '', '', ''];
    const result = await run(campaignId, ...Array.from({ length: REJECTED_LISTED_MAX + 5 }, () => bad));
    expect(result.rejectedCount).toBe(REJECTED_LISTED_MAX + 5);
    expect(result.rejected).toHaveLength(REJECTED_LISTED_MAX);
  });

  it('refuses columns without a name or a phone number, or with two phone numbers, before it writes anything', async () => {
    const campaignId = await harness.seedCampaign(1);
    for (const columns of [
      ['name', 'status'],
      ['phone'],
      ['name', 'phone', 'Phone'],
      ['name', 'cell', 'mobile'],
      [''],
    ]) {
      const source = sourceOf(columns, [['Ann', '+12025550101', '+12025550102']]);
      await expect(importContacts(harness.context, campaignId, source)).rejects.toMatchObject({ code: 'bad-request' });
    }
    const none = importContacts(harness.context, campaignId, records());
    await expect(none).rejects.toMatchObject({ code: 'bad-request', received: 'no rows after its header line' });
    expect(await harness.context.database.conversations.countDocuments({ campaignId })).toBe(0);
  });

  describe('with external ids', () => {
    const row = (phone: string, externalId: string, optedOut = '') => [phone, 'N', '', '', optedOut, '', externalId];
    const rejection = (line: number) => ({
      line,
      reason: expect.stringMatching(/^the external id belongs to a contact with another phone number/) as string,
    });

    it('rejects a row whose external id belongs to another phone number, in the file and in the campaign', async () => {
      const campaignId = await harness.seedCampaign(1);
      const first = await run(campaignId, row(phoneOf(1), 'x1'), row(phoneOf(2), 'x2'), row(phoneOf(3), 'x1'));
      expect(first).toMatchObject({ added: 2, rejectedCount: 1, rejected: [rejection(4)] });
      const second = await run(campaignId, row(phoneOf(4), 'x2'), row(phoneOf(2), 'x2'), row(phoneOf(5), ''));
      expect(second).toMatchObject({ added: 1, alreadyThere: 1, rejected: [rejection(2)] });
      expect(await run(await harness.seedCampaign(1), row(phoneOf(4), 'x2'))).toMatchObject({ added: 1 });
    });

    it('finds such rows in a large file, wherever they stand', async () => {
      const campaignId = await harness.seedCampaign(1);
      const rows = Array.from({ length: 4_500 }, (_, index) => row(phoneOf(index), `x${index % 2_250}`));
      expect(await run(campaignId, ...rows)).toMatchObject({ added: 2_250, alreadyThere: 0, rejectedCount: 2_250 });
    });

    it('accepts the members of a household if it is asked to', async () => {
      const campaignId = await harness.seedCampaign(1);
      const family = records(row(phoneOf(1), 'x1'), row(phoneOf(2), 'x1'), row(phoneOf(2), 'x1'));
      const result = await importContacts(harness.context, campaignId, family, { sharedIds: true });
      expect(result).toMatchObject({ added: 2, alreadyThere: 1, rejectedCount: 0 });
    });

    it('opts the known number out if a rejected row says that the person has opted out', async () => {
      const campaignId = await harness.seedCampaign(1);
      await run(campaignId, row(phoneOf(1), 'x1'));
      const result = await run(campaignId, row(phoneOf(2), 'x1', 'yes'), row(phoneOf(3), 'x3'));
      expect(result).toMatchObject({ added: 1, optedOut: 1, rejected: [rejection(2)] });
      const { conversations } = harness.context.database;
      expect(await conversations.distinct('contact.phone', { campaignId, optedOut: true })).toEqual([phoneOf(1)]);
    });
  });

  describe('with assignees', () => {
    const assigned = (phone: string, assignee: string, optedOut = 'no') => [phone, 'N', '', assignee, optedOut, '', ''];
    const keepAll = (campaignId: string, ...cells: string[][]): Promise<ImportResult> =>
      importContacts(harness.context, campaignId, records(...cells), { keepAssignees: true });

    it('rejects the rows of a paused texter, and leaves opted-out contacts in the pool', async () => {
      const campaignId = await harness.seedCampaign(3);
      await harness.pause(campaignId, 't2');
      const cells = [
        assigned(phoneOf(1), 't1'),
        assigned(phoneOf(2), 't2'),
        assigned(phoneOf(3), 't1', 'yes'),
        assigned(phoneOf(4), 't2', 'yes'),
        assigned(phoneOf(5), 't3'),
        assigned(phoneOf(5), 't3', 'yes'),
      ];
      expect(await run(campaignId, ...cells)).toMatchObject({
        added: 4,
        leftInPool: 3,
        optedOut: 3,
        rejected: [{ line: 3, reason: expect.stringMatching(/^the assignee is paused/) as string }],
      });
      expect(await harness.loads(campaignId)).toEqual({ t1: 1, pool: 3 });
    });

    it('keeps the assignees of another system if it is asked to', async () => {
      const campaignId = await harness.seedCampaign(2);
      await harness.pause(campaignId, 't2');
      const cells = [assigned(phoneOf(1), 't1', 'yes'), assigned(phoneOf(2), 't2')];
      expect(await keepAll(campaignId, ...cells)).toMatchObject({ added: 2, leftInPool: 0, rejectedCount: 0 });
      expect(await harness.loads(campaignId)).toEqual({ t1: 1, t2: 1 });
    });

    /** Imports 9,998 conversations for t1, and calls `stop` in the middle of the file. */
    const importAndStop = async (campaignId: string, stop: () => Promise<unknown>, keepAssignees = false) => {
      let givenAtStop = 0;
      let readings = 0;
      const rows = async function* () {
        readings += 1;
        for (let line = 2; line < 10_000; line += 1) {
          if (line === 5_000 && readings === 2) {
            await stop();
            givenAtStop = (await harness.loads(campaignId))['t1'] ?? 0;
          }
          yield [{ line, cells: assigned(phoneOf(line), 't1') }];
        }
      };
      const file = { columns: HEADER, rows };
      const { added, rejectedCount } = await importContacts(harness.context, campaignId, file, { keepAssignees });
      expect(added + rejectedCount).toBe(9_998);
      const { t1: given = 0 } = await harness.loads(campaignId);
      return { given, givenAtStop };
    };

    it.each([
      ['the pause of the texter', (campaignId: string) => setActive(harness.context, campaignId, 't1', false)],
      ['the close of the campaign', (campaignId: string) => setClosed(harness.context, campaignId, true)],
    ])('gives nothing more once %s is acknowledged while the file is read', async (_, stop) => {
      const campaignId = await harness.seedCampaign(1);
      const { given, givenAtStop } = await importAndStop(campaignId, () => stop(campaignId));
      expect(givenAtStop).toBeGreaterThan(0);
      expect(given).toBe(givenAtStop);
    });

    it('gives nothing more once the close of the campaign is acknowledged, even if it keeps assignees', async () => {
      const campaignId = await harness.seedCampaign(1);
      const close = () => setClosed(harness.context, campaignId, true);
      const { given, givenAtStop } = await importAndStop(campaignId, close, true);
      expect(givenAtStop).toBeGreaterThan(0);
      expect(given).toBe(givenAtStop);
    });
  });

  it('refuses an unknown campaign and a closed one', async () => {
    const row = ['+12025550101', 'Ann', '', '', '', '', ''];
    await expect(run('nowhere', row)).rejects.toMatchObject({ code: 'unknown-campaign' });
    const campaignId = await harness.seedCampaign(1);
    await harness.context.stores.campaigns.setClosed(campaignId, true);
    await expect(run(campaignId, row)).rejects.toMatchObject({ code: 'campaign-closed' });
  });
});
