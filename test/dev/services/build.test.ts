import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildAside } from '../../../dev/services/unpacked/build.ts';
import { withLock } from '../../../dev/services/unpacked/lock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('a build', () => {
  test('that fails half-way is not there, and the next one starts from nothing', async () => {
    const target = join(folder, 'root');
    const broken = buildAside(target, (aside) => {
      writeFileSync(join(aside, 'half'), '');
      return Promise.reject(new Error('power cord'));
    });
    await expect(broken).rejects.toThrow('power cord');
    expect(existsSync(target)).toBe(false);

    await buildAside(target, (aside) => {
      mkdirSync(join(aside, 'whole'));
      return Promise.resolve();
    });
    expect(readdirSync(target)).toEqual(['whole']);
    expect(readdirSync(folder)).toEqual(['root']);
  });
});

describe.runIf(process.platform === 'linux')('the lock', () => {
  test('lets one at a time through, and is free again after a failure', async () => {
    const file = join(folder, 'lock');
    const seen: string[] = [];
    const work = (name: string) => async () => {
      seen.push(`${name} in`);
      await sleep(50);
      seen.push(`${name} out`);
    };
    await Promise.all([withLock(file, work('a')), withLock(file, work('b'))]);
    expect(seen.map((line) => line.slice(2))).toEqual(['in', 'out', 'in', 'out']);

    await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(withLock(file, () => Promise.resolve('yes'))).resolves.toBe('yes');
  });
});
