import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HALT_CODES, Halted, Refusal, REFUSAL_CODES, type PermanentError } from '../../src/domain/errors.ts';
import { parseFailureText, toFailureText, toStoredError } from '../../src/domain/stored-error.ts';

const anyText = fc.string({ unit: 'binary' });
const details = fc.record({ message: anyText, expected: anyText, received: anyText });
const anyRefusal = fc.tuple(fc.constantFrom(...REFUSAL_CODES), details).map(([code, said]) => new Refusal(code, said));
const anyHalt = fc.tuple(fc.constantFrom(...HALT_CODES), details).map(([code, said]) => new Halted(code, said));

function fieldsOf({ name, code, message, expected, received }: PermanentError): object {
  return { name, code, message, expected, received };
}

describe('the failure text of a job', () => {
  it('keeps every field of a permanent error', () => {
    fc.assert(
      fc.property(fc.oneof(anyRefusal, anyHalt), (error) => {
        const parsed = parseFailureText(toFailureText(toStoredError(error)));
        expect(parsed && fieldsOf(parsed)).toEqual(fieldsOf(error));
      }),
    );
  });

  it.each([
    undefined,
    '',
    'boo',
    'job stalled more than allowable limit',
    'permanent',
    'permanent {"code":',
    'permanent null',
    'permanent {"code":"no-such-code","message":"","expected":"","received":""}',
    '{"code":"no-targets","message":"","expected":"","received":""}',
  ])('is not read as a permanent error when it is %j', (text) => {
    expect(parseFailureText(text)).toBeUndefined();
  });
});
