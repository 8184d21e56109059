import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mongo } from 'mongoose';
import { objectIds } from '../../src/mongo/documents.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';

interface Doctor {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly outcome: string; readonly found: string }[];
}

describe('documents that other programs have left incomplete', () => {
  let harness: Harness;
  let cli: Cli;
  let campaignId: string;
  let ids: string[];
  beforeAll(async () => {
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
    campaignId = await harness.seedCampaign(2);
    const seeded = [{}, {}, { assigneeId: 't1' }, { assigneeId: 'gone' }, { waitedMs: 60_000 }, {}];
    ids = await harness.seedConversations(campaignId, seeded);
  });
  afterAll(() => harness.close());

  const change = (at: number, update: mongo.Document): Promise<unknown> =>
    harness.context.database.conversations.updateOne({ _id: { $in: objectIds(ids.slice(at, at + 1)) } }, update);
  const checksOf = async (): Promise<Map<string, string>> => {
    const { checks } = await cli.json<Doctor>(['doctor']);
    return new Map(checks.map(({ name, outcome, found }) => [name, `${outcome}: ${found}`]));
  };
  const raw = async (at: number): Promise<mongo.Document | undefined> =>
    (
      await harness.context.database.conversations.find({ _id: { $in: objectIds(ids.slice(at, at + 1)) } }).toArray()
    )[0];

  it('are counted by doctor, which names the repair, and so are the conversations of a texter who left', async () => {
    await change(0, { $unset: { optedOut: '' } });
    await change(1, { $set: { status: 'archived' } });
    await change(2, { $unset: { status: '', optedOut: '' } });
    await change(4, { $unset: { waitingSince: '', history: '', lastInboundAt: '' } });
    await harness.context.database.texters.updateOne({ campaignId, texterId: 't2' }, { $unset: { active: '' } });
    const checks = await checksOf();
    expect(checks.get('conversations')).toBe(`warn: incomplete: 3 in campaign ${campaignId}`);
    expect(checks.get('texters')).toBe(`warn: incomplete: 1 in campaign ${campaignId}`);
    expect(checks.get('assignees')).toBe(`warn: not on the campaign: 1 in campaign ${campaignId}`);
    const { out, status } = await cli.run(['doctor']);
    expect(status).toBe(0);
    expect(out).toContain('complete them with `baton repair CAMPAIGN`');
  });

  it('get every default, while status and opt-out need a choice', async () => {
    const before = await raw(4);
    const report = await cli.json(['repair', campaignId]);
    expect(report).toMatchObject({ changed: 4, incomplete: 3, texters: 0, withoutTexter: 1 });
    expect(await raw(4)).toMatchObject({
      waitingSince: before?.['createdAt'] as Date,
      history: [],
      lastInboundAt: null,
    });
    const chosen = await cli.json(['repair', campaignId, '--status', 'closed', '--opted-out', 'yes']);
    expect(chosen).toMatchObject({ changed: 4, incomplete: 0 });
    expect(await raw(0)).toMatchObject({ status: 'not-started', optedOut: true });
    expect(await raw(1)).toMatchObject({ status: 'closed', optedOut: false });
    expect(await raw(2)).toMatchObject({ status: 'closed', optedOut: true });
    expect(await cli.json(['repair', campaignId])).toMatchObject({ changed: 0, incomplete: 0 });
  });

  it('have values of the wrong type counted and replaced as well', async () => {
    const { database } = harness.context;
    const WRONG: readonly (readonly [mongo.Document, number])[] = [
      [{ assigneeId: 7 }, 1],
      [{ assigneeId: '' }, 1],
      [{ waitingSince: new mongo.Timestamp({ t: 1, i: 1 }) }, 1],
      [{ waitingSince: { $toDate: mongo.Long.fromString('9000000000000000') } }, 1],
      [{ waitingSince: true, externalId: 5, assignedAt: 'x' }, 0],
      [{ optedOut: 'no' }, 0],
    ];
    const wrong = await harness.seedCampaign(1);
    const conversationIds = await harness.seedConversations(
      wrong,
      WRONG.map(() => ({})),
    );
    for (const [at, [fields]] of WRONG.entries()) {
      await database.conversations.updateOne({ _id: { $in: objectIds(conversationIds.slice(at, at + 1)) } }, [
        { $set: fields },
      ]);
    }
    const rules = { selfAssign: null, operationCount: null, createdAt: '2020', closed: 'no' };
    await database.campaigns.updateOne({ _id: wrong }, { $set: rules } as mongo.Document);
    const counted = WRONG.reduce((sum, [, count]) => sum + count, 0);
    expect((await checksOf()).get('conversations')).toContain(`${counted} in campaign ${wrong}`);
    const report = await cli.json(['repair', wrong, '--opted-out', 'no']);
    expect(report).toMatchObject({ changed: 4 + 3 + 1 + 4, incomplete: 0 });
    const docs = await database.conversations.find({ campaignId: wrong }).toArray();
    for (const doc of docs) {
      expect(doc).toMatchObject({ assigneeId: null, externalId: null, assignedAt: null, optedOut: false });
      expect(doc.waitingSince).toBeInstanceOf(Date);
    }
    expect(await database.campaigns.findOne({ _id: wrong })).toMatchObject({ closed: false, operationCount: 0 });
    expect(await cli.json(['repair', wrong])).toMatchObject({ changed: 0, incomplete: 0 });
  });

  it('are complete for doctor after the repair, and the conversations of the texter who left can be released', async () => {
    const released = await cli.run([
      'preview',
      campaignId,
      '--from',
      'gone',
      '--to',
      'pool',
      '--status',
      'any',
      '--no-wait',
    ]);
    expect(released.err).not.toContain('unknown-texter');
    const checks = await checksOf();
    expect(checks.get('conversations')).toBe('ok: none incomplete');
    expect(checks.get('texters')).toBe('ok: none incomplete');
  });
});
