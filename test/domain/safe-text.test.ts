import mongoose from 'mongoose';
import { describe, expect, it } from 'vitest';
import { JobFailed, QueueUnavailable } from '../../src/domain/errors.ts';
import {
  errorText,
  idText,
  jobIdText,
  loggedError,
  looksLikeId,
  safeText,
  shownId,
} from '../../src/domain/safe-text.ts';

describe('a value in the place of an id', () => {
  it.each([
    'c1',
    't_kevin',
    'auth0|1',
    '-Nabc',
    'a:b',
    'a.b',
    '65f0a1b2c3d4e5f6a7b8c9d0',
    '42',
    'op_1764400000000',
    '1764400000000',
    'a1234567890',
    'c_2026-11-29',
    '12345678-1234-4234-8234-123456789012',
    'nowhere',
  ])('is shown when it looks like an id: %s', (id) => expect(shownId(id)).toBe(JSON.stringify(id)));

  it.each([
    ['Kevin Smith', 'a text of 11 characters'],
    ['Kevin', 'a text of 5 characters'],
    ['Kevin-Smith', 'a text of 11 characters'],
    ['+12025550199', 'a text of 12 characters'],
    ['12025550199', 'a text of 11 characters'],
    ['202-555-0199', 'a text of 12 characters'],
    ['555-0199', 'a text of 8 characters'],
    ['5550199', 'a text of 7 characters'],
    ['kevin@example.org', 'a text of 17 characters'],
    ['pass!word', 'a text of 9 characters'],
    ['', 'an empty text'],
    [undefined, 'nothing'],
    [null, 'null'],
    [12025550199, 'a large number'],
    [7, '7'],
    [-1.5, '-1.5'],
    [true, 'true'],
    [{ name: 'Kevin' }, 'an object'],
    [['Kevin'], 'a list with 1 item'],
  ])('is described when it does not: %j', (value, text) => {
    expect(shownId(value)).toBe(text);
    expect(looksLikeId(value)).toBe(false);
  });

  it.each([
    ['p_2025550199', 'p_…'],
    ['tel-2025550199', 'tel-…'],
    ['tel:202-555-0199', 'tel:…'],
    ['tel:1-202-555-0199|a', 'tel:…|a'],
    ['x.5550199.y', 'x.….y'],
    ['auth0|12025550199', 'auth0|…'],
  ])('is shown without the part that may be a phone number: %s', (id, text) => {
    expect(shownId(id)).toBe(JSON.stringify(text));
    expect(idText(id)).toBe(text);
    expect(jobIdText(`op-${encodeURIComponent(id)}`)).toBe(`op-${text}`);
  });

  it('is shown in the id of a job', () => {
    expect(jobIdText('op-auth0%7C1')).toBe('op-auth0%7C1');
    expect(jobIdText('op-12025550199')).not.toContain('555');
    expect(jobIdText('op-%E0%A4')).not.toContain('%');
    expect(jobIdText('Kevin Smith')).toBe('(a text of 11 characters)');
  });
});

describe('the message of an error', () => {
  it.each([
    ['E11000 duplicate key error dup key: { campaignId: "c", contact.name: "Kevin" }', /E11000 duplicate key error/],
    ['Cast to ObjectId failed for value "Kevin "K" Smith" (type string)', /Cast to ObjectId failed .* \(type string\)/],
    ["ERR unknown command 'x', with args beginning with: 'Kevin'", /ERR unknown command/],
    ["no such user: 'O'Kevin'", /no such user/],
    ['cut off: "Kevin Smi', /cut off/],
    ['connect to redis://kevin:Kevin/1@host failed', /@host failed/],
    ['Missing key for job Kevin Smith. moveToFinished', /Missing key for job/],
    ['could not renew lock for job Kevin Smith', /could not renew lock/],
    ['cannot text Kevin\'s "Kevin": +1 (202) 555-0199', /cannot text/],
  ])('contains no quoted value, no phone number and no password: %s', (message, rest) => {
    const text = errorText(new Error(message));
    expect(text.replace("Kevin's", '')).not.toMatch(/Kevin|Smith|555/);
    expect(text).toMatch(rest);
  });

  it.each([
    'connect ECONNREFUSED 127.0.0.1:6379',
    'connect ETIMEDOUT 203.0.113.7',
    'listen EADDRNOTAVAIL: address not available 203.0.113.7',
    'Host: db. is not in the altnames: IP: 192.168.100.100',
    'Redis at redis://192.168.100.100 did not answer',
    "Cannot read properties of undefined (reading 'receipt')",
    "NOPERM User worker has no permissions to run the 'client|list' command",
    'Missing key for job op-a.b. moveToFinished',
    'operation op_1234567890 has been deleted from the database',
    'the batch of 2026-11-29 has 100000 conversations',
  ])('keeps harmless parts: %s', (message) => {
    expect(errorText(new Error(message))).toBe(message);
  });

  it.each(['the row has 55.12.34.56', 'connect ECONNREFUSED 202.555.0101', 'ECONNREFUSED 203.0.113.7 55.12.34.56'])(
    'hides a phone number that is no address of a server: %s',
    (message) => {
      expect(errorText(new Error(message))).toMatch(/\[phone\]$/);
    },
  );

  it('never repeats a text that is not JSON', () => {
    for (const text of ['Kevin Smith', '{"name":"Kevin', '["Kevin"]x']) {
      const error = thrownBy(() => JSON.parse(text) as unknown);
      expect(JSON.stringify(loggedError(error))).not.toMatch(/Kevin/);
    }
  });

  it('keeps counts and dates in texts of Baton', () => {
    const text = 'confirm 1000000 conversations since 2026-11-29';
    expect(safeText(text)).toBe(text);
  });

  it('keeps the address of a server in texts of Baton', () => {
    for (const text of ['no answer from redis://192.168.100.100', 'no answer: connect ETIMEDOUT 192.168.100.100']) {
      expect(safeText(text)).toBe(text);
    }
    expect(safeText('no answer from 192.168.100.100')).toContain('[phone]');
  });
});

describe('a logged error', () => {
  it('has type, code, frames and causes, and no field of its own', () => {
    const cause = Object.assign(new Error('WRONGTYPE wrong kind of value'), {
      name: 'ReplyError',
      command: { name: 'set', args: ['Kevin Smith', '+12025550199'] },
    });
    const logged = loggedError(new QueueUnavailable('Redis did not confirm the request', { cause }));
    expect(logged).toMatchObject({
      type: 'QueueUnavailable',
      code: 'queue-unavailable',
      cause: { type: 'ReplyError' },
    });
    expect(logged.stack).toMatch(/^ +at .*safe-text\.test\.ts:\d+:\d+/);
    expect(JSON.stringify(logged)).not.toMatch(/Kevin|2025550199/);
  });

  it('has no message in its frames', () => {
    const error = new JobFailed('first\n    at Kevin Smith\nlast');
    expect(loggedError(error).stack).not.toContain('Kevin');
  });

  it('has no value of a document that the database refused', async () => {
    const schema = new mongoose.Schema({ at: Date, id: mongoose.Schema.Types.ObjectId });
    const document = new (mongoose.model('Refused', schema))({ at: 'Kevin Smith', id: '+12025550199' });
    const error: unknown = await document.validate().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify(loggedError(error))).not.toMatch(/Kevin|Smith|5550199/);
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
