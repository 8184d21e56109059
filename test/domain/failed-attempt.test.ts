import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failedAttempt } from '../../src/domain/stored-error.ts';

const AT = new Date(0);
const messageOf = (error: Error): string => failedAttempt(error, AT).message;

describe('a failed attempt', () => {
  it('has the time and a description of the error', () => {
    expect(failedAttempt(new TypeError('no such method'), AT)).toEqual({
      at: AT,
      message: 'TypeError: no such method',
    });
  });

  it('is one short printable line for any error message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (message) => {
        const line = messageOf(new Error(message));
        expect(line.length).toBeLessThanOrEqual(301);
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });

  it.each([
    'E11000 duplicate key: { campaignId: "c", contact.phone: "+15550100001" }',
    'cannot text +1 (555) 010-0001',
    'E11000 duplicate key: { contact.phone: "5550100001" }',
    'cannot text (555) 010-0001 or 555.010.0001.',
    'no such number: phone:5550100001',
  ])('contains no phone number: %s', (message) => {
    expect(messageOf(new Error(message))).not.toMatch(/555/);
  });

  it('keeps ports, ids and counts', () => {
    const message =
      'connect ECONNREFUSED 127.0.0.1:27017, operation op_1234567890, conversation 65f0a1b2c3d4e5f6a7b8c9d0, 100000 left';
    expect(messageOf(new Error(message))).toBe(`Error: ${message}`);
  });
});
