import { describe, expect, it } from 'vitest';
import { REFUSAL_CODES } from '../../src/domain/errors.ts';
import { isEnded, isRetryable, OPERATION_STATES, statesBefore } from '../../src/domain/operation.ts';

describe('the state of an operation', () => {
  it.each([
    ['accepted', ['failed']],
    ['running', ['accepted']],
    ['done', ['running']],
    ['cancelled', ['accepted', 'running']],
    ['failed', ['accepted', 'running']],
  ] as const)('changes to %s only from %j', (state, before) => {
    expect(statesBefore(state)).toEqual(before);
  });

  it('never changes after the end, except from failed to accepted by a retry', () => {
    const ended = OPERATION_STATES.filter(isEnded);
    expect(ended).toEqual(['done', 'cancelled', 'failed']);
    const next = OPERATION_STATES.flatMap((state) => statesBefore(state).map((before) => [before, state] as const));
    expect(next.filter(([before]) => isEnded(before))).toEqual([['failed', 'accepted']]);
  });

  it('can be reopened after exhausted attempts or a halt, and never after a refusal', () => {
    const failedWith = (code: string): boolean =>
      isRetryable({ state: 'failed', error: { code, message: '', expected: null, received: null } });
    expect(['attempts-exhausted', 'targets-lost'].map(failedWith)).toEqual([true, true]);
    expect(REFUSAL_CODES.filter(failedWith)).toEqual([]);
    expect(
      isRetryable({
        state: 'running',
        error: { code: 'attempts-exhausted', message: '', expected: null, received: null },
      }),
    ).toBe(false);
    expect(isRetryable({ state: 'done', error: null })).toBe(false);
  });
});
