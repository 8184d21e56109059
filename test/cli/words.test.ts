import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { didYouMean } from '../../src/cli/did-you-mean.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { campaignDoc, conversationDoc, texterDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';

/** Campaign C has no country; campaign US has one. */
describe('the words that people use', () => {
  let harness: Harness;
  let cli: Cli;
  let ids: readonly string[];
  let idOfUs: string;

  beforeAll(async () => {
    harness = await Harness.open();
    await harness.startWorker();
    cli = new Cli(cliEnv(harness.config));
    const texters = ['Smith, Jane', 'Émile', 'Kevin', 'Ann', 'Bob', 'Ann, Bob'];
    await harness.seeder.campaign(
      campaignDoc({ _id: 'C', name: 'Bartlett 2020' }),
      texters.map((name, index) => texterDoc({ campaignId: 'C', joinedOrder: index + 1, name })),
    );
    await harness.seeder.campaign(campaignDoc({ _id: 'US', name: 'Other', country: 'US' }));
    const contacts = [
      { name: 'Zoë Lee', phone: '+12025550101' },
      { name: 'Gus', phone: '+12025550102' },
      { name: 'Gus', phone: '+442079460102' },
    ];
    const docs = contacts.map((contact, index) => ({ ...conversationDoc(index, { campaignId: 'C' }), contact }));
    await harness.seeder.conversations(docs);
    const docOfUs = { ...conversationDoc(9, { campaignId: 'US' }), contact: { name: 'Al', phone: '+12025550101' } };
    await harness.seeder.conversations([docOfUs]);
    idOfUs = docOfUs._id.toHexString();
    ids = docs.map(({ _id }) => _id.toHexString());
  });
  afterAll(() => harness.close());

  const conversation = async (campaign: string, word: string) =>
    (await cli.json<{ conversationId: string }>(['conversation', campaign, word])).conversationId;

  it('find a conversation by phone number as it is written, with and without a country', async () => {
    for (const word of ['+1 202-555-0101', '(202) 555-0101', '202.555.0101', '12025550101', 'zoË lee']) {
      expect(await conversation('C', word), word).toBe(ids[0]);
    }
    for (const word of ['(202) 555-0101', '+1 202 555 0101']) expect(await conversation('US', word), word).toBe(idOfUs);
    const { code, message } = await cli.refusal(['conversation', 'C', '(202) 555-0199']);
    expect(code).toBe('unknown-conversation');
    expect(message).toBe('no conversation of campaign C has these digits as its id, external id or phone number');
  });

  it('are refused with what tells the candidates apart, and without names and numbers', async () => {
    const { code, message } = await cli.refusal(['conversation', 'C', 'gus']);
    expect(code).toBe('ambiguous-name');
    const candidate = (id = '') => `${id} by its contact \\(not-started, pool, waiting since [-:TZ\\d]+\\)`;
    expect(message).toMatch(new RegExp(`: ${candidate(ids[1])}, ${candidate(ids[2])}; write id= and the id`));
    expect(message).not.toMatch(/Gus|555|7946/);
  });

  it('find texters and campaigns in any case and form, and texters whose name has a comma', async () => {
    const to = async (word: string) =>
      (
        await cli.json<{ assignees: { assigneeId: string | null }[] }>([
          ...['reassign', 'bartlett 2020', '--from', 'pool', '--to', word, '--status', 'Needs Reply', '--preview'],
        ])
      ).assignees.flatMap(({ assigneeId }) => assigneeId ?? []);
    expect(await to('smith, jane')).toEqual(['t1']);
    expect(await to('Smith, Jane,KEVIN')).toEqual(['t1', 't3']);
    expect(await to('e\u0301mile, kevin')).toEqual(['t2', 't3']);
    expect(await to('Smith, Jane=1,Kevin=2')).toEqual(['t1', 't3']);
    const list = ['reassign', 'C', '--from', 'pool', '--status', 'any', '--preview', '--to'];
    expect((await cli.refusal([...list, 'Ann, Bob'])).code).toBe('ambiguous-name');
  });

  it('are corrected when they are almost right', async () => {
    expect((await cli.refusal(['texter', 'pause', 'C', 'Kevn'])).message).toContain('; did you mean Kevin?');
    expect((await cli.refusal(['senders', 'Bartlet 2020'])).message).toContain('; did you mean Bartlett 2020?');
    const move = ['reassign', 'C', '--from', 'pool', '--to', 'Kevin', '--status'];
    expect((await cli.refusal([...move, 'needs-replay'])).message).toContain('; did you mean needs-reply?');
    expect(didYouMean('Kevin', ['Rebecca', 'Jo'])).toBe('');
    expect(didYouMean('lukasz zolc', ['Łukasz Żółć', 'Lucas'])).toBe('; did you mean Łukasz Żółć?');
    expect(didYouMean('smith', ['Smith, Anna', 'Bob Smith', 'Jones'])).toBe('; did you mean Smith, Anna or Bob Smith?');
    expect(didYouMean('Sm', ['Smith, Anna'])).toBe('');
  });

  it('name the person who asks: --actor, BATON_ACTOR, or else cli', async () => {
    const move = ['reassign', 'C', '--from', 'pool', '--to', 'Kevin', '--status', 'closed', '--id'];
    await cli.json([...move, 'by-cli']);
    const lead = new Cli({ ...cliEnv(harness.config), BATON_ACTOR: 'lead_1' });
    await lead.json([...move, 'by-lead']);
    await lead.json([...move, 'by-other', '--actor', 'lead_2']);
    const actorOf = async (id: string) =>
      (await cli.json<{ request: { actorId: string } }>(['operation', id])).request.actorId;
    expect(await Promise.all(['by-cli', 'by-lead', 'by-other'].map(actorOf))).toEqual(['cli', 'lead_1', 'lead_2']);
    const wrong = new Cli({ ...cliEnv(harness.config), BATON_ACTOR: 'Jane Doe' });
    expect((await wrong.refusal([...move, 'by-jane'])).message).toContain('BATON_ACTOR');
  });

  it('do not make a second texter of the same name without a question', async () => {
    expect(await cli.refusal(['texter', 'add', 'C', 'kevin'])).toMatchObject({ code: 'texter-exists' });
    const no = await cli.runAtTerminal(['texter', 'add', 'C', 'Kevin'], 'yes');
    expect(no.status).toBe(2);
    expect(no.err).toContain(
      'Kevin is on this campaign already (t3).\nFor another person with this name, type "another" to confirm: ',
    );
    expect(no.err).toContain('nobody was added');
    expect((await cli.run(['texter', 'add', 'US', 'Kevin'])).status).toBe(0);
    expect(await cli.json(['texter', 'add', 'US', 'Kevin', '--another'])).toMatchObject({ joinedOrder: 2 });
    expect(await cli.json(['texter', 'add', 'US', 'Kevin', '--id', 'k3'])).toMatchObject({ joinedOrder: 3 });
  });

  it('cancel all operations of a campaign that wait', async () => {
    const ran = await cli.run(['cancel', '--campaign', 'C', '--queued']);
    expect(ran.out).toContain('Cancelled 0 waiting operations of Bartlett 2020. The one that runs continues.');
    expect(ran.out).toContain('no worker has accepted yet are not cancelled.');
  });

  it('say why a claim gets too few, and what the pool still has', async () => {
    await cli.json(['campaign', 'rules', 'C', '--self-assign', 'on']);
    const claim = await cli.run(['self-assign', 'C', '--texter', 'Kevin', '--count', '9']);
    expect(claim.out).toContain('gave Kevin 3 conversations: no more conversations match.\nThe pool is empty.\n');
    const statuses = ['needs-reply', 'awaiting-contact', 'closed', 'closed'] as const;
    await harness.seedConversations(
      'C',
      statuses.map((status) => ({ status })),
    );
    const { out } = await cli.run(['self-assign', 'C', '--texter', 'Kevin', '--count', '9']);
    expect(out.replace(/\s+/g, ' ')).toContain(
      '4 conversations that this claim could not receive: 1 needs a reply, 1 awaits',
    );
  });
});
