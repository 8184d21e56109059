import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HALT_CODES,
  Halted,
  JobFailed,
  Refusal,
  REFUSAL_CODES,
  UnknownFailure,
  type PermanentError,
} from '../../src/domain/errors.ts';
import { ATTEMPTS_EXHAUSTED, parseFailureText, toFailureText, toStoredError } from '../../src/domain/stored-error.ts';

const anyText = fc.string({ unit: 'binary' });
const details = fc.record({ message: anyText, expected: anyText, received: anyText });
const anyRefusal = fc.tuple(fc.constantFrom(...REFUSAL_CODES), details).map(([code, said]) => new Refusal(code, said));
const anyHalt = fc.tuple(fc.constantFrom(...HALT_CODES), details).map(([code, said]) => new Halted(code, said));

const anyUnknown = details.map((said) => new UnknownFailure('a-newer-code', said));

function fieldsOf(error: PermanentError | JobFailed | undefined): object {
  const { name, code, message, expected, received } = error as PermanentError;
  return { name, code, message, expected, received };
}

describe('the failure text of a job', () => {
  it('keeps every field of a permanent error', () => {
    fc.assert(
      fc.property(fc.oneof(anyRefusal, anyHalt, anyUnknown), (error) => {
        const parsed = parseFailureText(toFailureText(toStoredError(error)));
        expect(fieldsOf(parsed)).toEqual(fieldsOf(error));
      }),
    );
  });

  it('is read as a JobFailed with a plain message when the attempts of the operation were used up', () => {
    const message = 'MongoNetworkError: connection closed';
    const text = toFailureText({ code: ATTEMPTS_EXHAUSTED, message, expected: null, received: null });
    const parsed = parseFailureText(text);
    expect(parsed).toBeInstanceOf(JobFailed);
    expect(parsed).toMatchObject({ code: 'operation-failed', message });
  });

  it('is read as a permanent error also when a newer worker wrote a code that this version does not know', () => {
    const text = 'permanent {"code":"no-such-code","message":"no","expected":"a","received":"b"}';
    const parsed = parseFailureText(text);
    expect(parsed).toBeInstanceOf(UnknownFailure);
    expect(parsed).toMatchObject({ code: 'no-such-code', message: 'no', expected: 'a', received: 'b' });
  });

  it.each([
    undefined,
    '',
    'boo',
    'job stalled more than allowable limit',
    'permanent',
    'permanent {"code":',
    'permanent null',
    'permanent {"message":"no code"}',
    '{"code":"no-targets","message":"","expected":"","received":""}',
  ])('is read as a transient error when it is %j', (text) => {
    expect(parseFailureText(text)).toBeUndefined();
  });
});
