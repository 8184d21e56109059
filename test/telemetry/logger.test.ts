import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger, errorReporter, type Logger } from '../../src/telemetry/logger.ts';

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

describe('the error reporter', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('logs what failed, and not only the error', () => {
    const lines: Line[] = [];
    const reporter = errorReporter(loggerTo(lines));
    reporter('connection to Redis failed')(new Error('no'));
    reporter('a waiting claim could not be woken')(new Error('no'));
    expect(lines.map(({ msg }) => msg)).toEqual(['connection to Redis failed', 'a waiting claim could not be woken']);
  });

  it('logs each message of an event once in ten seconds', () => {
    const lines: Line[] = [];
    const log = errorReporter(loggerTo(lines))('connection to Redis failed');
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

  it('remembers a bounded number of messages, and forgets the oldest first', () => {
    const lines: Line[] = [];
    const log = errorReporter(loggerTo(lines))('connection to Redis failed');
    for (let id = 0; id < 1_001; id += 1) log(new Error(`no job ${id}`));
    log(new Error('no job 1000'));
    expect(lines).toHaveLength(1_001);
    log(new Error('no job 0'));
    expect(lines).toHaveLength(1_002);
  });
});
