import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';

/** Command lines with the code of their refusal. Campaign `C` has two texters called Ann, Bob, and Paul, who is paused. */
const ANY = ['--status', 'any'];
const REFUSED: readonly (readonly [code: string, args: readonly string[]])[] = [
  ['unknown-campaign', ['reassign', 'nowhere', '--from', 'pool', '--to', 'everyone', ...ANY]],
  ['unknown-campaign', ['senders', 'nowhere']],
  ['unknown-campaign', ['import', 'nowhere', '-']],
  ['unknown-texter', ['reassign', 'C', '--from', 'pool', '--to', 'Nobody', ...ANY]],
  ['unknown-texter', ['reassign', 'C', '--from', 'elsewhere', '--to', 'Bob', ...ANY]],
  ['unknown-texter', ['texter', 'pause', 'C', 'Nobody']],
  ['unknown-texter', ['unassign', 'C', '--from', 'Nobody', '--confirm', '1']],
  ['ambiguous-name', ['reassign', 'C', '--from', 'pool', '--to', 'Ann', ...ANY]],
  ['ambiguous-name', ['senders', 'Twice']],
  ['unknown-conversation', ['reassign', 'C', '--conversation', '0123456789abcdef01234567', '--to', 'Bob']],
  ['unknown-conversation', ['conversation', 'C', 'nobody']],
  ['unknown-operation', ['operation', 'nothing']],
  ['unknown-operation', ['undo', 'nothing']],
  ['unknown-operation', ['cancel', 'nothing']],
  ['unknown-campaign', ['cancel', 'nothing', '--campaign', 'nowhere']],
  ['bad-request', ['undo']],
  ['bad-request', ['cancel', 'nothing', '--campaign', 'C', '--actor', 'Jane Doe']],
  ['bad-request', ['cancel', 'nothing', '--wait', 'long']],
  ['unknown-operation', ['retry', 'nothing', '--yes']],
  ['unknown-campaign', ['retry', '--campaign', 'nowhere', '--yes']],
  ['unknown-campaign', ['failed', 'nowhere']],
  ['target-inactive', ['reassign', 'C', '--from', 'pool', '--to', 'Paul', ...ANY]],
  ['target-inactive', ['reassign', 'C', '--from', 'pool', '--to', 'Bob,Paul', ...ANY]],
  ['no-targets', ['reassign', 'C', '--from', 'pool', '--to', '', ...ANY]],
  ['no-targets', ['reassign', 'Alone', '--from', 'solo', '--to', 'everyone', ...ANY]],
  ['no-targets', ['reassign', 'C', '--conversation', 'x1', '--to', '']],
  ['same-source-and-target', ['reassign', 'C', '--from', 'Bob', '--to', 'Bob', ...ANY]],
  ['campaign-closed', ['reassign', 'Shut', '--from', 'pool', '--to', 'everyone', ...ANY]],
  ['campaign-exists', ['campaign', 'create', 'Another', '--id', 'C']],
  ['texter-exists', ['texter', 'add', 'C', 'Bob again', '--id', 'b']],
  ['texter-exists', ['texter', 'add', 'C', 'BOB']],
  ['bad-request', ['cancel']],
  ['bad-request', ['cancel', 'nothing', '--queued']],
  ['bad-request', ['cancel', 'nothing', '--campaign', 'C', '--queued']],
  ['confirmation-needed', ['unassign', 'C', '--from', 'Bob']],
  ['confirmation-needed', ['unassign', 'C', '--from', 'everyone', '--status', 'closed']],
  ...['0', '-1', '1.5', '9007199254740992', 'six', '', 'NaN', '1e3', '0x10'].flatMap((count) => [
    ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--count', count]] as const,
    ['bad-request', ['unassign', 'C', '--from', 'Bob', '--count', count]] as const,
  ]),
  ['bad-request', ['unassign', 'C', '--from', 'Bob', '--confirm', 'all']],
  ['bad-request', ['unassign', 'C', '--from', 'Bob', '--confirm', '-1']],
  ['bad-request', ['unassign', 'C', '--from', 'pool', '--confirm', '1']],
  ['bad-request', ['unassign', 'C', '--from', '', '--confirm', '1']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', '--status', 'waiting']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', '--status', 'Any one']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob']],
  ['bad-request', ['reassign', 'C', '--to', 'Bob', ...ANY]],
  ['bad-request', ['reassign', 'C', '--from', 'pool', ...ANY]],
  ['bad-request', ['reassign', 'C', '--from', '', '--to', 'Bob', ...ANY]],
  ['bad-request', ['reassign', 'C', '--from', 'pool,Bob', '--to', 'b', ...ANY]],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob,', ...ANY]],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'pool', ...ANY]],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--spread', 'fair']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--id', 'no spaces']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--actor', 'Jane Doe']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--wait', 'long']],
  ['bad-request', ['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--colour', 'blue']],
  ['bad-request', ['reassign', 'C', '--conversation', 'x1', '--to', 'Bob', '--count', '1']],
  ['bad-request', ['reassign', 'C', '--conversation', 'x1', '--to', 'everyone']],
  ['bad-request', ['reassign', 'C', '--conversation', 'x1', '--to', 'b,a1']],
  ['bad-request', ['reassign', 'C', '--conversation', 'x1', '--to', 'Bob', '--preview']],
  ['bad-request', ['conversations', 'C', '--status', 'awaiting-contact']],
  ['bad-request', ['conversations', 'C', '--status', 'waiting']],
  ['bad-request', ['conversations', 'C', '--limit', '0']],
  ['bad-request', ['conversations', 'C', '--after', 'here']],
  ['bad-request', ['conversations', 'C', '--of', '']],
  ['bad-request', ['operations', 'C', '--limit', 'all']],
  ['bad-request', ['failed', '--limit', '0']],
  ['bad-request', ['retry']],
  ['bad-request', ['retry', 'x', '--all']],
  ['bad-request', ['import', 'C', '/no/such/file']],
  ['bad-request', ['import', 'C', '/']],
  ['bad-request', ['import', 'C', '-']],
  ['bad-request', ['export', 'C']],
  ['bad-request', ['export', 'C', '--out', '/no/such/folder/file.csv']],
  ['bad-request', ['campaign', 'create', '   ']],
  ['bad-request', ['campaign', 'create', 'x', '--id', 'not an id']],
  ['bad-request', ['campaign', 'create', 'x', '--self-assign', '--batch-max', '0']],
  ['bad-request', ['campaign', 'create', 'x', '--open-max', 'many']],
  ['bad-request', ['texter', 'add', 'C', 'Pool']],
  ['bad-request', ['texter', 'add', 'C', 'x', '--id', 'everyone']],
  ['bad-request', ['texter', 'add', 'C', 'right\u202eleft']],
  ['bad-request', ['texter', 'add', 'C']],
  ['bad-request', ['dance']],
  ['bad-request', []],
];

describe('a refused command line', () => {
  let harness: Harness;
  let cli: Cli;

  beforeAll(async () => {
    // No worker runs: the command line must refuse all of these by itself.
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
    for (const id of ['C', 'Shut', 'Alone', 'Twice1', 'Twice2', 'elsewhere-1']) {
      await cli.json(['campaign', 'create', id.replace(/\d$/, ''), '--id', id]);
    }
    for (const [id, name] of [
      ['a1', 'Ann'],
      ['b', 'Bob'],
      ['a2', 'Ann'],
      ['p', 'Paul'],
    ] as const) {
      await cli.json(['texter', 'add', 'C', name, '--id', id]);
    }
    await cli.json(['texter', 'add', 'Alone', 'Solo', '--id', 'solo']);
    await cli.json(['texter', 'add', 'Shut', 'Sue']);
    await cli.json(['texter', 'add', 'elsewhere-1', 'Elsewhere', '--id', 'elsewhere']);
    await cli.json(['texter', 'pause', 'C', 'Paul']);
    await cli.json(
      ['import', 'C', '-'],
      'name,phone,external_id,assignee\nX,+12025550101,x1,\nY,+12025550102,x2,Bob\nZ,+12025550103,x3,Bob\n',
    );
    await cli.json(['campaign', 'close', 'Shut']);
  });
  afterAll(() => harness.close());

  const readDatabase = async (): Promise<unknown> => {
    const { campaigns, texters, conversations, operations, batches } = harness.context.database;
    const collections = [campaigns, texters, conversations, operations, batches];
    return Promise.all(collections.map((collection) => collection.find({}).sort({ _id: 1 }).toArray()));
  };

  it('names a texter where a person reads, and gives the id to programs', async () => {
    const move = ['reassign', 'C', '--from', 'pool', '--to', 'Paul', ...ANY];
    expect((await cli.run(move)).err).toContain('texter Paul is paused');
    expect((await cli.refusal(move)).message).toContain('texter p is paused');
  });

  it.each(REFUSED)('fails with %s and changes nothing: baton %j', async (code, args) => {
    const before = await readDatabase();
    const refusal = await cli.refusal(args);
    expect(refusal).toMatchObject({
      code,
      expected: expect.stringMatching(/./) as string,
      received: expect.stringMatching(/./) as string,
    });
    expect(refusal.message).toMatch(/./);
    expect(await readDatabase()).toEqual(before);
  });

  it('reports the received value', async () => {
    const refusal = await cli.refusal(['reassign', 'C', '--from', 'pool', '--to', 'Bob', ...ANY, '--count', 'six']);
    expect(refusal.received).toBe('"six"');
  });

  it('prints one line on stderr and nothing on stdout', async () => {
    const ran = await cli.run(['senders', 'nowhere']);
    const err = 'baton: unknown-campaign: no campaign has the id or the name "nowhere"\n';
    expect(ran).toEqual({ status: 2, out: '', err });
  });

  it.each([
    [['preview', 'C', '--from', 'b', '--to', 'pool', '--spread', 'even'], '--spread cannot be used with --to pool'],
    [
      ['reassign', 'C', '--from', 'pool', '--to', 'Kevin', ...ANY],
      'no texter of campaign C has the id or the name "Kevin"',
    ],
    [
      ['texter', 'pause', 'C', 'Ann'],
      '"Ann" matches more than one texter: a1 by its name (joined as number 1), a2 by its name (joined as number 3); write id= and the id, such as id=a1',
    ],
    [['import', 'C', '/no/such/file'], '/no/such/file cannot be read: it or its folder does not exist (ENOENT)'],
    [
      ['reassign', 'C', '--conversation', 'x1', '--to', 'Bob', '--count', '1'],
      "option '--conversation <id>' cannot be used with option '--count <n>'",
    ],
    [['retry', 'x', '--all'], 'ids of operations cannot be combined with --all or --campaign'],
    [['conversations', 'C', '--limit', '0'], '--limit must be a whole number from 1 to 1000'],
  ])('explains in a sentence why it refuses: baton %j', async (args, message) => {
    expect((await cli.refusal(args)).message).toBe(message);
  });

  it('names MONGODB_URI and REDIS_URL when they are not set', async () => {
    const refusal = await new Cli({}).refusal(['senders', 'C']);
    expect(refusal.code).toBe('bad-config');
    expect(refusal.message).toMatch(/MONGODB_URI.*REDIS_URL/);
  });
});
