import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildThenRename } from '../../../dev/services/unpacked/build.ts';
import { withLock } from '../../../dev/services/unpacked/cache.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('buildThenRename', () => {
  test('leaves no folder when a build fails, and the next build starts with an empty folder', async () => {
    const target = join(folder, 'root');
    const broken = buildThenRename(target, (temporary) => {
      writeFileSync(join(temporary, 'incomplete'), '');
      return Promise.reject(new Error('power failure'));
    });
    await expect(broken).rejects.toThrow('power failure');
    expect(existsSync(target)).toBe(false);

    await buildThenRename(target, (temporary) => {
      mkdirSync(join(temporary, 'complete'));
      return Promise.resolve();
    });
    expect(readdirSync(target)).toEqual(['complete']);
    expect(readdirSync(folder)).toEqual(['root']);
  });
});

describe.runIf(process.platform === 'linux')('withLock', () => {
  test('runs one function at a time and releases the lock after a failure', async () => {
    const file = join(folder, 'lock');
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} starts`);
      await sleep(50);
      events.push(`${name} ends`);
    };
    await Promise.all([withLock(file, work('a')), withLock(file, work('b'))]);
    expect(events.map((event) => event.slice(2))).toEqual(['starts', 'ends', 'starts', 'ends']);

    await expect(withLock(file, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    await expect(withLock(file, () => Promise.resolve('done'))).resolves.toBe('done');
  });
});
