import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { environmentExample } from '../../dev/environment-example.ts';
import { environment, readConfig } from '../../src/config.ts';
import { jobSchemas } from '../../src/queue/job-schema.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('files made from the code', () => {
  it('job.schema.json is what the zod contract says; otherwise: npm run generate', () => {
    expect(JSON.parse(read('job.schema.json'))).toEqual(JSON.parse(JSON.stringify(jobSchemas())));
  });

  it('.env.example shows every variable; otherwise: npm run generate', () => {
    expect(read('.env.example')).toBe(environmentExample(environment));
  });

  it('.env.example is itself a valid environment', () => {
    const lines = read('.env.example')
      .split('\n')
      .map((line) => line.replace(/^# (?=[A-Z_]+=)/, ''));
    const env = Object.fromEntries(lines.filter((line) => /^[A-Z_]+=/.test(line)).map((line) => line.split(/=(.*)/s)));
    expect(() => readConfig(env as NodeJS.ProcessEnv)).not.toThrow();
  });
});
