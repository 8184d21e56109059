import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey, matchesHash, parseKey, replaceKey, revokeKey, SCOPES } from '../../src/access/index.ts';
import { hashOf } from '../../src/access/key.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';

let harness: Harness;
let cli: Cli;
beforeAll(async () => {
  harness = await Harness.open();
  cli = new Cli(cliEnv(harness.config));
});
afterAll(() => harness.close());

const request = (name: string) => ({ organisationId: 'default', name, scopes: SCOPES });

describe('API keys', () => {
  it('are stored as a hash only, and every new key is different', async () => {
    const [first, second] = [
      await createKey(harness.context, request('one')),
      await createKey(harness.context, request('one')),
    ];
    expect(first.text).not.toBe(second.text);
    const parsed = parseKey(first.text);
    const stored = JSON.stringify(await harness.context.database.models.apiKeys.find().lean());
    expect(stored).not.toContain(parsed?.secret);
    expect(matchesHash(parsed?.secret ?? '', hashOf(parsed?.secret ?? ''))).toBe(true);
    expect(matchesHash(parsed?.secret ?? '', hashOf(parseKey(second.text)?.secret ?? ''))).toBe(false);
  });

  it('are at most two live ones for an app, however many are created at once', async () => {
    const created = await Promise.allSettled(
      Array.from({ length: 6 }, () => createKey(harness.context, request('two'))),
    );
    const codes = created.map((each) =>
      each.status === 'fulfilled' ? 'created' : (each.reason as { code: string }).code,
    );
    expect(codes.sort()).toEqual([
      ...Array.from({ length: 2 }, () => 'created'),
      ...Array.from({ length: 4 }, () => 'too-many-keys'),
    ]);
    const live = (await harness.context.keys.list('default')).filter(({ name }) => name === 'two');
    await revokeKey(harness.context, live[0]?.keyId ?? '');
    await expect(createKey(harness.context, request('two'))).resolves.toBeDefined();
    await replaceKey(harness.context, request('two'));
    const left = (await harness.context.keys.list('default')).filter(({ name }) => name === 'two');
    expect(left.filter(({ revokedAt }) => revokedAt === null)).toHaveLength(2);
  });

  it('are created, listed and revoked on the command line, and each change is recorded with its actor and time', async () => {
    const created = await cli.json<{ key: string; keyId: string }>([
      'key',
      'create',
      '--name',
      'cli',
      '--scopes',
      'read',
    ]);
    expect(parseKey(created.key)?.keyId).toBe(created.keyId);
    const listed = await cli.run(['key', 'list']);
    expect(listed.out).toContain(created.keyId);
    expect(listed.out).not.toContain(parseKey(created.key)?.secret);
    await cli.json(['key', 'revoke', created.keyId]);
    await cli.json(['key', 'revoke', created.keyId]);
    expect(await cli.refusal(['key', 'revoke', '0000000000000000'])).toMatchObject({ code: 'unknown-key' });
    const { changes } = await cli.json<{ changes: { kind: string; subjectIds: string[] }[] }>(['changes']);
    const own = changes.filter(({ subjectIds }) => subjectIds.includes(created.keyId));
    expect(own.map(({ kind }) => kind)).toEqual(['key-revoked', 'key-revoked', 'key-created']);
    expect(own[0]).toMatchObject({ actor: 'command-line', outcome: 'done', at: expect.any(String) as string });
  });

  it('are replaced by the name as it is stored, and only the key that was revoked is reported', async () => {
    const env = { ...cliEnv(harness.config), REDIS_URL: 'redis://127.0.0.1:1' };
    const create = (name: string) =>
      new Cli(env).run(['key', 'create', '--name', name, '--replace', '--organisation', 'default']);
    for (const name of ['three', ' three ']) expect((await create(name)).err).toBe('');
    const live = async () =>
      (await harness.context.keys.list('default')).filter(({ name, revokedAt }) => name === 'three' && !revokedAt);
    const [oldest] = await live();
    const third = await create(' three');
    expect(third.status).toBe(0);
    expect(third.err.replaceAll(/\s+/g, ' ')).toContain(`key ${oldest?.keyId} is revoked, but Redis cannot be reached`);
    expect(await live()).toHaveLength(2);
    expect((await create('\n')).status).toBe(2);
    expect(await live()).toHaveLength(2);
  });

  it('belong to an organisation that exists', async () => {
    expect(await cli.refusal(['key', 'create', '--organisation', 'acme'])).toMatchObject({
      code: 'unknown-organisation',
    });
    await cli.json(['organisation', 'create', 'acme', 'Acme']);
    expect(await cli.refusal(['organisation', 'create', 'acme', 'Acme'])).toMatchObject({
      code: 'organisation-exists',
    });
    expect(await cli.json(['key', 'create', '--organisation', 'acme'])).toMatchObject({ organisationId: 'acme' });
    expect(await cli.refusal(['campaign', 'create', 'Rally', '--id', 'nobody~c1'])).toMatchObject({
      code: 'unknown-organisation',
    });
    expect(await cli.json(['campaign', 'create', 'Rally', '--id', 'acme~c1'])).toMatchObject({ campaignId: 'acme~c1' });
  });
});
