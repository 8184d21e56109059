import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { campaignDoc, conversationDoc, texterDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';
import { phoneOf } from '../support/phones.ts';

/** In campaign C, the texter Kevin has the id "Rebecca", and the texter Rebecca has the id "r1". */
describe('a word that matches several records', () => {
  let harness: Harness;
  let cli: Cli;
  let byId: string;
  let byName: string;

  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    cli = new Cli(cliEnv(harness.config));
    await harness.seeder.campaign(campaignDoc({ _id: 'C', name: 'Rally' }), [
      texterDoc({ campaignId: 'C', joinedOrder: 1, texterId: 'Rebecca', name: 'Kevin' }),
      texterDoc({ campaignId: 'C', joinedOrder: 2, texterId: 'r1', name: 'Rebecca' }),
      texterDoc({ campaignId: 'C', joinedOrder: 3, texterId: 'Same', name: 'Same' }),
    ]);
    await harness.seeder.campaign(campaignDoc({ _id: 'D', name: 'C' }));
    const [first, second, third] = [1, 2, 3].map((number) => conversationDoc(number, { campaignId: 'C' }));
    if (!first || !second || !third) throw new Error('three conversations are needed');
    byId = first._id.toHexString();
    byName = second._id.toHexString();
    await harness.seeder.conversations([
      { ...first, externalId: 'x1' },
      { ...second, contact: { name: byId, phone: phoneOf(2) } },
      { ...third, contact: { name: 'x1', phone: phoneOf(3) } },
    ]);
  });
  afterAll(() => harness.close());

  it.each([
    [
      ['reassign', 'id=C', '--from', 'Rebecca', '--to', 'everyone', '--status', 'any'],
      'Rebecca by its id (joined as number 1), r1 by its name (joined as number 2)',
    ],
    [['reassign', 'id=C', '--from', 'pool', '--to', 'Rebecca', '--status', 'any'], 'r1 by its name'],
    [['texter', 'pause', 'id=C', 'Reb\u200becca'], 'r1 by its name'],
    [['senders', 'C'], 'D by its name'],
    [['opt-out', 'id=C', '--conversation', 'x1'], 'by its external id'],
  ])('is refused with what it matches: %j', async (args, matches) => {
    const { code, message, received } = await cli.refusal(args);
    expect(code).toBe('ambiguous-name');
    expect(message).toContain(matches);
    expect(received).toContain(matches);
  });

  it('is refused when it is the id of one conversation and the contact of another', async () => {
    for (const args of [
      ['conversation', 'id=C', byId],
      ['opt-out', 'id=C', '--conversation', byId],
      ['reassign', 'id=C', '--conversation', byId, '--to', 'r1'],
    ]) {
      const { code, message } = await cli.refusal(args);
      expect(code).toBe('ambiguous-name');
      expect(message).toMatch(new RegExp(`${byId} by its id \\(.*\\), ${byName} by its contact \\(`));
    }
  });

  it('is accepted after id= or name=, and when the id and the name belong to one record', async () => {
    const idOf = async (word: string) =>
      (await cli.json<{ texterId: string }>(['texter', 'resume', 'id=C', word])).texterId;
    expect(await idOf('id=Rebecca')).toBe('Rebecca');
    expect(await idOf('name=Rebecca')).toBe('r1');
    expect(await idOf('Same')).toBe('Same');
    expect(await cli.json(['campaign', 'show', 'name=C'])).toMatchObject({ campaignId: 'D' });
    const change = await cli.json(['opt-out', 'id=C', '--conversation', `id=${byId}`]);
    expect(change).toMatchObject({ conversationIds: [byId] });
  });

  it('rejects the row of an import, which can say id= or name=', async () => {
    const rows = ['Rebecca', 'id=Rebecca', 'name=Rebecca', 'Kevin'].map(
      (word, index) => `N,${phoneOf(10 + index)},${word}`,
    );
    const result = await cli.json(['import', 'id=C', '-'], `name,phone,assignee\n${rows.join('\n')}\n`);
    expect(result).toMatchObject({
      added: 3,
      rejected: [{ line: 2, reason: expect.stringContaining('matches several texters by id or name') as string }],
    });
    expect(await harness.loads('C')).toMatchObject({ Rebecca: 2, r1: 1 });
  });
});
