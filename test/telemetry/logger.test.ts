import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectionErrorLogger, createLogger, type Logger } from '../../src/telemetry/logger.ts';

type Line = Record<string, unknown>;

function loggerTo(lines: Line[]): Logger {
  const destination = new Writable({
    write: (text: Buffer, _encoding, done) => {
      lines.push(JSON.parse(text.toString()) as Line);
      done();
    },
  });
  return createLogger({ level: 'info' }, destination);
}

describe('the logger', () => {
  it('replaces personal and secret values at the top and up to two levels below', () => {
    const lines: Line[] = [];
    const personal = { name: 'Ada', phone: '+15550100', redisUrl: 'redis://user:secret@host', campaignId: 'c1' };
    loggerTo(lines).info({ ...personal, one: { ...personal, two: personal } }, 'a line');
    const text = JSON.stringify(lines);
    for (const secret of ['Ada', '+15550100', 'secret']) expect(text).not.toContain(secret);
    expect(lines).toMatchObject([{ campaignId: 'c1', phone: '[redacted]', one: { two: { name: '[redacted]' } } }]);
  });
});

describe('the logger of connection errors', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('logs each message once in ten seconds', () => {
    const lines: Line[] = [];
    const log = connectionErrorLogger(loggerTo(lines));
    for (let repetition = 0; repetition < 3; repetition += 1) {
      log(new Error('connect ECONNREFUSED'));
      log(new Error('read ECONNRESET'));
    }
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(10_001);
    log(new Error('connect ECONNREFUSED'));
    expect(lines.map(({ err }) => (err as Error).message)).toEqual([
      'connect ECONNREFUSED',
      'read ECONNRESET',
      'connect ECONNREFUSED',
    ]);
  });
});
