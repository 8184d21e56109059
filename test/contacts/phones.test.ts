import mongoose from 'mongoose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { writeCanonicalPhones } from '../../src/mongo/canonical-phones.ts';
import { migrate } from '../../src/mongo/migrate.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { conversationDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';

const ONE_NUMBER = ['(202) 555-0199', '+12025550199', '12025550199', '001 202 555 0199'];

let harness: Harness;
let cli: Cli;

beforeAll(async () => {
  harness = await Harness.open();
  cli = new Cli(cliEnv(harness.config));
});
afterAll(() => harness.close());

const phonesOf = async (campaignId: string): Promise<string[]> => {
  const docs = await harness.context.database.conversations.find({ campaignId }).toArray();
  return docs.map(({ contact }) => contact.phone).sort();
};

const csv = (phones: readonly string[]): string =>
  `name,phone\n${phones.map((phone) => `Ann,"${phone.replaceAll('"', '""')}"\n`).join('')}`;

/** Stores conversations with phone numbers as an earlier version wrote them. */
async function seedPhones(campaignId: string, contacts: readonly { phone: string; optedOut?: boolean }[]) {
  const docs = contacts.map(({ phone, optedOut = false }, index) => ({
    ...conversationDoc(index, { campaignId, optedOut }),
    contact: { name: 'Ann', phone },
  }));
  await harness.seeder.conversations(docs);
  return docs.map(({ _id }) => _id.toHexString());
}

describe('an import', () => {
  it('makes one conversation of one phone number, however the file writes it', async () => {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    expect(await cli.json(['import', campaignId, '-'], csv(ONE_NUMBER))).toMatchObject({ added: 1, alreadyThere: 3 });
    for (const phone of ONE_NUMBER) {
      expect(await cli.json(['import', campaignId, '-'], csv([phone]))).toMatchObject({ added: 0, alreadyThere: 1 });
    }
    expect(await phonesOf(campaignId)).toEqual(['+12025550199']);
  });

  it('reads national numbers of the country that --country names, and rejects them without a country', async () => {
    const campaignId = await harness.seedCampaign(1);
    const file = csv(['0171 3920010', '+12025550199']);
    expect(await cli.json(['import', campaignId, '-'], file)).toMatchObject({
      added: 1,
      rejected: [{ line: 2, reason: expect.stringContaining('no country code') as string }],
    });
    expect(await cli.json(['import', campaignId, '-', '--country', 'de'], file)).toMatchObject({ added: 1 });
    expect(await phonesOf(campaignId)).toEqual(['+12025550199', '+491713920010']);
  });

  it('reads national numbers of the country of the campaign, which a command sets', async () => {
    const { campaignId } = await cli.json<{ campaignId: string }>(['campaign', 'create', 'Rally', '--country', 'gb']);
    expect(await cli.json(['campaign', 'show', campaignId])).toMatchObject({ country: 'GB' });
    await cli.json(['import', campaignId, '-'], csv(['07400 123456']));
    expect(await cli.json(['campaign', 'country', campaignId, 'US'])).toMatchObject({ country: 'US' });
    await cli.json(['import', campaignId, '-'], csv(['202-555-0101']));
    expect(await phonesOf(campaignId)).toEqual(['+12025550101', '+447400123456']);
    for (const args of [
      ['campaign', 'country', campaignId, 'UK'],
      ['import', campaignId, '-', '--country', 'England'],
    ]) {
      expect(await cli.refusal(args, csv([]))).toMatchObject({ code: 'bad-request' });
    }
  });
});

describe('phone numbers of an earlier version', () => {
  it('are written in one form by a migration, and numbers without a country stay as they are', async () => {
    const campaignId = await harness.seedCampaign(1);
    const { database } = harness.context;
    await seedPhones(
      campaignId,
      ['0012025550101', '+12025550102', '+442079460123', '2025550103', '1234567'].map((phone) => ({ phone })),
    );
    await database.campaigns.updateOne({ _id: campaignId }, { $unset: { country: 1 } });
    await database.schema.updateOne({ _id: 'schema' }, { $set: { version: 2 } });
    const lines: string[] = [];
    await migrate(database, { log: (line) => void lines.push(line) });
    expect(await phonesOf(campaignId)).toEqual([
      '+12025550101',
      '+12025550102',
      '+442079460123',
      '1234567',
      '2025550103',
    ]);
    expect(await database.campaigns.findOne({ _id: campaignId })).toMatchObject({ country: null });
    expect(lines.filter((line) => line.includes(campaignId))).toEqual([
      `campaign ${campaignId}: 1 phone numbers rewritten, 2 cannot be read, 0 are shared by several conversations; ` +
        `see \`baton phones ${campaignId}\``,
    ]);
  });

  it('are read again by `baton phones` with a country, which reports duplicates, merges none and can be repeated', async () => {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    const phones = ['2025550199', '+12025550199', '0012025550199', '2025550101', '12025550101', '2025550102', '77'];
    const [a, b, c, d, e] = await seedPhones(
      campaignId,
      phones.map((phone) => ({ phone })),
    );
    const first = await cli.json<{ shared: string[][] }>(['phones', campaignId]);
    expect(first).toMatchObject({
      campaignId,
      country: 'US',
      rewritten: 2,
      unreadable: 1,
      sharedCount: 2,
      optedOut: 0,
    });
    const groups = (shared: string[][]) => shared.map((ids) => ids.toSorted()).sort();
    expect(groups(first.shared)).toEqual([[a, b, c].sort(), [d, e].sort()].sort());
    expect(await phonesOf(campaignId)).toHaveLength(phones.length);
    const again = await cli.json<{ shared: string[][] }>(['phones', campaignId]);
    expect(again).toMatchObject({ rewritten: 0, unreadable: 1, sharedCount: 2 });
    expect(groups(again.shared)).toEqual(groups(first.shared));
    const { out } = await cli.run(['phones', campaignId]);
    expect(out).toMatch(/^0 phone numbers rewritten; 1 cannot be read; 2 shared by several conversations/);
    expect(out).not.toMatch(/\+1202|555/);
  });

  it('go on when an import brings the canonical number at the same time', async () => {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    await seedPhones(campaignId, [{ phone: '2025550199' }, { phone: '2025550101' }]);
    const { prototype } = mongoose.mongo.Collection;
    const bulkWrite = Reflect.get<typeof prototype, 'bulkWrite'>(prototype, 'bulkWrite');
    const spy = vi.spyOn(prototype, 'bulkWrite').mockImplementationOnce(async function (
      this: typeof prototype,
      ...args
    ) {
      await seedPhones(campaignId, [{ phone: '+12025550199' }]);
      return bulkWrite.apply(this, args);
    });
    const report = await writeCanonicalPhones(harness.context.database, campaignId, 'US');
    spy.mockRestore();
    expect(report).toMatchObject({ rewritten: 1 });
    expect(await phonesOf(campaignId)).toEqual(['+12025550101', '+12025550199', '2025550199']);
    expect(await writeCanonicalPhones(harness.context.database, campaignId, 'US')).toMatchObject({ sharedCount: 1 });
  });

  it('opt a person out in every conversation of the number if one of them is opted out', async () => {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    await seedPhones(campaignId, [
      { phone: '2025550199' },
      { phone: '12025550199', optedOut: true },
      { phone: '0012025550199' },
      { phone: '2025550101' },
    ]);
    const report = await writeCanonicalPhones(harness.context.database, campaignId, 'US');
    expect(report).toMatchObject({ optedOut: 2, sharedCount: 1 });
    const { conversations } = harness.context.database;
    expect(await conversations.countDocuments({ campaignId, optedOut: true })).toBe(3);
  });
});
