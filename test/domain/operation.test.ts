import { describe, expect, it } from 'vitest';
import { isEnded, OPERATION_STATES, statesBefore } from '../../src/domain/operation.ts';

describe('an operation', () => {
  it.each([
    ['accepted', []],
    ['running', ['accepted']],
    ['done', ['running']],
    ['cancelled', ['accepted', 'running']],
    ['failed', ['accepted', 'running']],
  ] as const)('becomes %s only from %j', (state, before) => {
    expect(statesBefore(state)).toEqual(before);
  });

  it('that has ended never becomes anything else', () => {
    const ended = OPERATION_STATES.filter(isEnded);
    expect(ended).toEqual(['done', 'cancelled', 'failed']);
    for (const state of OPERATION_STATES) expect(statesBefore(state).filter(isEnded)).toEqual([]);
  });
});
