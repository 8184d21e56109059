import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../dev/generate.ts';
import { readConfig, WORKER_NODE_FLAGS } from '../../src/config.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const files = await generatedFiles();

describe('files that must match the code', () => {
  it.each(Object.entries(files))('%s is up to date (to update it: npm run generate)', (path, text) => {
    expect(read(path)).toBe(text);
  });

  it('the Dockerfile starts a worker with the Node flags of a worker', () => {
    const [, command = ''] = /^CMD (.*)$/m.exec(read('Dockerfile')) ?? [];
    expect(JSON.parse(command)).toEqual(['node', ...WORKER_NODE_FLAGS, 'dist/workers/main.js']);
  });

  it('the Dockerfile starts the worker under an init, as process 1 would ignore signals that have no handler', () => {
    expect(read('Dockerfile')).toMatch(/^ENTRYPOINT \["\/usr\/bin\/tini", "--"\]$/m);
  });

  it('.env.example is a valid environment', () => {
    const lines = read('.env.example')
      .split('\n')
      .map((line) => line.replace(/^# (?=[A-Z_]+=)/, ''));
    const settings = lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2));
    const env = Object.fromEntries(settings) as NodeJS.ProcessEnv;
    expect(() => readConfig(env)).not.toThrow();
  });
});
