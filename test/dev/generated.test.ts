import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { environmentExample } from '../../dev/environment-example.ts';
import { environment, readConfig } from '../../src/config.ts';
import { jobSchemas } from '../../src/producer/job-schema.ts';
import { WORKER_NODE_FLAGS } from '../../src/worker-flags.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('files that say again what the code says', () => {
  it('job.schema.json is what the zod contract says; otherwise: npm run generate', () => {
    expect(read('job.schema.json')).toBe(`${JSON.stringify(jobSchemas(), null, 2)}\n`);
  });

  it('.env.example shows every variable; otherwise: npm run generate', () => {
    expect(read('.env.example')).toBe(environmentExample(environment));
  });

  it('the image starts a worker with the flags that a worker wants', () => {
    const [, command = ''] = /^CMD (.*)$/m.exec(read('Dockerfile')) ?? [];
    expect(JSON.parse(command)).toEqual(['node', ...WORKER_NODE_FLAGS, 'dist/workers/main.js']);
  });

  it('.env.example is itself a valid environment', () => {
    const lines = read('.env.example')
      .split('\n')
      .map((line) => line.replace(/^# (?=[A-Z_]+=)/, ''));
    const settings = lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2));
    const env = Object.fromEntries(settings) as NodeJS.ProcessEnv;
    expect(() => readConfig(env)).not.toThrow();
  });
});
