import { describe, expect, it } from 'vitest';
import type { Move } from '../../src/operations/moves.ts';
import type { Claim } from '../../src/claims/claim.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { OPERATION_STATES, isEnded, type OperationRecord } from '../../src/domain/operation.ts';
import { givesBackToTexters, grantedMove, refuseUnfinished, reversed, undoPlan } from '../../src/operations/undo.ts';

const recorded = (more: Partial<OperationRecord<unknown>>): OperationRecord<unknown> =>
  ({ operationId: 'op', state: 'done', receipt: null, ...more }) as OperationRecord<unknown>;

const receiptFrom = (...assigneeIds: (string | null)[]): OperationRecord<unknown>['receipt'] => ({
  selected: 5,
  moved: 5,
  asked: null,
  shortBecause: null,
  left: null,
  skipped: [],
  bySource: assigneeIds.map((assigneeId) => ({ assigneeId, count: 1 })),
  byTarget: [{ assigneeId: 't9', count: 5 }],
  byStatus: [],
});

describe('the rules of an undo', () => {
  it('reverse each move, and reversing twice gives the same moves again', () => {
    const moves: Move[] = [{ from: null, to: 't1', status: 'closed', conversationIds: ['a', 'b'] }];
    expect(reversed(moves)).toEqual([{ from: 't1', to: null, status: 'closed', conversationIds: ['a', 'b'] }]);
    expect(reversed(reversed(moves))).toEqual(moves);
  });

  it('split the conversations of a claim into moves without overlap', () => {
    const claim = { request: { texterId: 't1' }, granted: ['a', 'b', 'c', 'd', 'e'] } as unknown as Claim;
    const pieces = [0, 2, 4].map((from) => grantedMove(claim, from, 2).conversationIds);
    expect(pieces).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it.each(OPERATION_STATES)('refuse to undo an operation in state %s unless that state is an end', (state) => {
    const refuse = (): void => refuseUnfinished(recorded({ state }));
    if (isEnded(state)) expect(refuse).not.toThrow();
    else expect(refuse).toThrow(Refusal);
  });

  it('plan from the targets back to the sources, with the moved count as the limit', () => {
    const plan = undoPlan(recorded({ receipt: receiptFrom(null, 't1') }));
    expect(plan).toMatchObject({ sources: ['t9'], targets: [null, 't1'], loads: [0, 0], limit: 5 });
    expect(undoPlan(recorded({}))).toMatchObject({ sources: [], targets: [], limit: 0 });
  });

  it('report that texters get conversations back only when the operation took some from texters', () => {
    expect(
      [[null], ['t1'], [null, 't1'], []].map((from) => givesBackToTexters(recorded({ receipt: receiptFrom(...from) }))),
    ).toEqual([false, true, true, false]);
    expect(givesBackToTexters(recorded({}))).toBe(false);
  });
});
