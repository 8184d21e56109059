import { Types, type mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';

describe('contacts of the wrong type', () => {
  let harness: Harness;
  let cli: Cli;
  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    cli = new Cli(cliEnv(harness.config));
  });
  afterAll(() => harness.close());

  const PHONE = '+12025550147';
  const CONTACTS: readonly (readonly [string, unknown])[] = [
    ['no contact', undefined],
    ['a contact of null', null],
    ['a text as contact', 'Zora'],
    ['a list of contacts', [{ name: 'Zora', phone: PHONE }]],
    ['a number as phone number', { name: 'Zora', phone: 12_025_550_147 }],
    ['a list of phone numbers', { name: 'Zora', phone: [PHONE] }],
    ['a number as name', { name: 5, phone: PHONE }],
    ['a name and a phone number of null', { name: null, phone: null }],
  ];

  async function seed(contact: unknown): Promise<{ campaignId: string; conversationId: string }> {
    const campaignId = await harness.seedCampaign(1, { country: 'US' });
    const [conversationId = ''] = await harness.seedConversations(campaignId, [{ assigneeId: 't1' }]);
    const update = contact === undefined ? { $unset: { contact: '' } } : { $set: { contact } };
    await harness.context.database.conversations.updateOne({ _id: new Types.ObjectId(conversationId) }, {
      ...update,
      $set: { ...('$set' in update ? update.$set : {}), externalId: 'ext-1' },
    } as mongo.Document);
    return { campaignId, conversationId };
  }

  it.each(CONTACTS)(
    'do not block an import, which adds no second conversation of the same person: %s',
    async (_what, contact) => {
      const { campaignId } = await seed(contact);
      const hasPhone = JSON.stringify(contact ?? null).includes(PHONE);
      for (const assignee of ['', 't1']) {
        const file = `name,phone,external_id,assignee\nZora,${PHONE},ext-1,${assignee}\nNew,+12025550148,,${assignee}\n`;
        const result = await cli.json<object>(['import', campaignId, '-'], file);
        const added = assignee === '' ? 1 : 0;
        expect(result).toMatchObject({ added, rejectedCount: hasPhone ? 0 : 1 });
      }
      expect(await harness.context.database.conversations.countDocuments({ campaignId })).toBe(2);
    },
  );

  it.each(CONTACTS)(
    'can be opted out, shown, exported and erased by their conversation: %s',
    async (_what, contact) => {
      const { campaignId, conversationId } = await seed(contact);
      const by = { campaignId, conversationId };
      expect(await harness.producer.optOut(by)).toMatchObject({ conversationIds: [conversationId], changed: 1 });
      expect(await harness.producer.liftOptOut(by)).toMatchObject({ changed: 1 });
      expect((await cli.run(['conversation', campaignId, conversationId])).err).toBe('');
      expect((await cli.run(['conversations', campaignId, '--of', 't1'])).err).toBe('');
      expect((await cli.run(['export', campaignId])).err).toBe('');
      expect(await harness.producer.erase(by)).toMatchObject({ conversationIds: [conversationId], changed: 1 });
      expect(await harness.producer.erase(by)).toMatchObject({ changed: 0 });
      const doc = await harness.context.database.conversations.findOne({ _id: new Types.ObjectId(conversationId) });
      expect(doc).toMatchObject({ contact: { name: 'erased' }, externalId: null, optedOut: true, status: 'closed' });
      expect(JSON.stringify(doc)).not.toMatch(/Zora|5550147/);
    },
  );
});
