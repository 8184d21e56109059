import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundlePrograms } from '../../dev/build/bundles.ts';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { ROOT } from '../support/checkout-copy.ts';

/** Each takes longer to load than the whole command line. */
const DATABASE_CLIENTS = /node_modules\/(?:mongoose|mongodb|bullmq|ioredis)\//;
const STATIC_IMPORT = /^(?:import|export)\s*(?:[^"'();]*?from\s*)?"(\.[^"]+)"/gm;
const DYNAMIC_IMPORT = /import\("(\.[^"]+)"\)/g;

describe('the bundled command line', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baton-test-bundle-'));
    await bundlePrograms(ROOT, folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function importsOf(file: string, kind: RegExp): Promise<string[]> {
    const code = await readFile(file, 'utf8');
    return [...code.matchAll(kind)].map(([, path = '']) => join(dirname(file), path));
  }

  /** The files that Node loads with a file. */
  async function loadedWith(file: string, loaded = new Set<string>()): Promise<Set<string>> {
    if (loaded.has(file)) return loaded;
    loaded.add(file);
    for (const path of await importsOf(file, STATIC_IMPORT)) await loadedWith(path, loaded);
    return loaded;
  }

  async function clientsIn(file: string): Promise<string[]> {
    const codes = await Promise.all([...(await loadedWith(file))].map((path) => readFile(path, 'utf8')));
    return codes.flatMap((code) => DATABASE_CLIENTS.exec(code)?.[0] ?? []);
  }

  it('loads no client of a database for the help of any command', async () => {
    const [main = ''] = await importsOf(join(folder, 'src/cli/main.js'), DYNAMIC_IMPORT);
    const programs = [...(await loadedWith(main))];
    const dynamic = await Promise.all(programs.map((path) => importsOf(path, DYNAMIC_IMPORT)));
    const modules = new Set(COMMANDS.map(({ load }) => /commands\/([a-z-]+)\.ts/.exec(String(load))?.[1] ?? ''));
    const commands = [...new Set(dynamic.flat())].filter((path) =>
      modules.has(/\/([a-z-]+)-[A-Z0-9]{8}\.js$/.exec(path)?.[1] ?? ''),
    );
    expect(commands).toHaveLength(modules.size);
    for (const file of [main, ...commands]) expect([file, await clientsIn(file)]).toEqual([file, []]);
  });
});
