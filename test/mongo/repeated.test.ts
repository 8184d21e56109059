import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { WriteConflict } from '../../src/domain/errors.ts';
import { repeated } from '../../src/mongo/transaction.ts';

/** Runs an attempt that meets other writers `conflicts` times, each time longer than all attempts may take. */
async function countAttempts(conflicts: number, repeatForMs: number): Promise<number> {
  let attempts = 0;
  const attempt = async (): Promise<number> => {
    attempts += 1;
    await delay(repeatForMs + 1);
    if (attempts <= conflicts) throw new WriteConflict('another transaction wrote the same documents');
    return attempts;
  };
  return repeated(attempt, { repeatForMs });
}

describe('a transaction that meets other writers', () => {
  it('is repeated a few times even when one attempt takes longer than all of them may', async () => {
    expect(await countAttempts(3, 1)).toBe(4);
  });

  it('is given up after these attempts when the time is over', async () => {
    await expect(countAttempts(4, 1)).rejects.toThrow(WriteConflict);
  });

  it('is not repeated when only one attempt is allowed', async () => {
    await expect(countAttempts(1, 0)).rejects.toThrow(WriteConflict);
  });
});
