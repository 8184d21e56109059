import { describe, expect, it } from 'vitest';
import { BatchDraft, countMoves, slipsBetween, SKIP_REASONS, type Move } from '../../src/operations/batch.ts';
import { judge, mergeSkips, type Found, type Guard } from '../../src/operations/evaluate.ts';

const move: Move = { from: 't1', to: 't2', status: 'not-started', conversationIds: ['c'] };
const release: Move = { ...move, to: null };
const asPlanned: Found = {
  id: 'c',
  holderId: 't1',
  status: 'not-started',
  optedOut: false,
  isMovedBefore: false,
  lastOperationId: 'a',
};
const usual: Guard = { statuses: ['not-started', 'needs-reply'], lastMovedBy: null, inactive: new Set() };

/** The one conversation's fate: `moves`, its reason for not moving, or `nothing` of it. */
function fateOf(planned: Move, found: Partial<Found> | undefined, guard: Partial<Guard> = {}): string {
  const now = new Map(found ? [['c', { ...asPlanned, ...found }]] : []);
  const { moves, skips } = judge([planned], now, { ...usual, ...guard });
  if (moves.length > 0) return 'moves';
  return skips[0]?.reason ?? 'nothing';
}

describe('the verdict on a planned move', () => {
  const TABLE: [string, string, Move, Partial<Found> | undefined, Partial<Guard>?][] = [
    ['moves when all is as planned', 'moves', move, {}],
    ['moves when its status changed to another that was asked for', 'moves', move, { status: 'needs-reply' }],
    ['is gone when nobody finds it', 'gone', move, undefined],
    [
      'is nothing new when this operation has moved it before',
      'nothing',
      move,
      { isMovedBefore: true, holderId: 't3' },
    ],
    ['is already there when the target holds it', 'already-there', move, { holderId: 't2' }],
    ['changed holder when somebody else holds it', 'holder-changed', move, { holderId: 't3' }],
    ['changed holder when it went back to the pool', 'holder-changed', move, { holderId: null }],
    ['changed status when it is none that was asked for', 'status-changed', move, { status: 'closed' }],
    ['opted out meanwhile', 'opted-out', move, { optedOut: true }],
    ['loses its target when that was paused', 'target-inactive', move, {}, { inactive: new Set(['t2']) }],
    ['does not mind others that were paused', 'moves', move, {}, { inactive: new Set(['t1', 't3']) }],
    ['is released although it opted out', 'moves', release, { optedOut: true }],
    ['is released although everybody was paused', 'moves', release, {}, { inactive: new Set(['t1', 't2']) }],
    ['is already in the pool', 'already-there', release, { holderId: null }],
    ['moves when the operation to undo was the last to move it', 'moves', move, {}, { lastMovedBy: 'a' }],
    [
      'changed holder when another moved it since',
      'holder-changed',
      move,
      { lastOperationId: 'b' },
      { lastMovedBy: 'a' },
    ],
    [
      'changed holder, and not "already there", when it was given back before',
      'holder-changed',
      move,
      { lastOperationId: 'b', holderId: 't2' },
      { lastMovedBy: 'a' },
    ],
    [
      'tells the holder before the status',
      'holder-changed',
      move,
      { holderId: 't3', status: 'closed', optedOut: true },
    ],
    ['tells the status before the opt-out', 'status-changed', move, { status: 'closed', optedOut: true }],
    ['tells the opt-out before the target', 'opted-out', move, { optedOut: true }, { inactive: new Set(['t2']) }],
  ];

  it.each(TABLE)('%s', (_sentence, fate, planned, found, guard) => {
    expect(fateOf(planned, found, guard)).toBe(fate);
  });

  it('is given once on a conversation that was planned twice: it cannot move twice', () => {
    const again: Move = { ...move, to: 't3', status: 'needs-reply' };
    const [moving, skipped] = [new Map([['c', asPlanned]]), new Map([['c', { ...asPlanned, optedOut: true }]])];
    expect(judge([move, again], moving, usual)).toEqual({ moves: [move], skips: [] });
    expect(judge([move, again], skipped, usual).skips).toEqual([{ reason: 'opted-out', conversationIds: ['c'] }]);
  });

  it('says the status that was found', () => {
    const planned = [{ ...move, conversationIds: ['a', 'b', 'c'] }];
    const now = new Map<string, Found>([
      ['a', { ...asPlanned, id: 'a' }],
      ['b', { ...asPlanned, id: 'b', status: 'needs-reply' }],
      ['c', { ...asPlanned, id: 'c' }],
    ]);
    expect(judge(planned, now, usual).moves).toEqual([
      { ...move, conversationIds: ['a', 'c'] },
      { ...move, status: 'needs-reply', conversationIds: ['b'] },
    ]);
  });

  it('is given on each conversation by itself, and every one is accounted for', () => {
    const planned: Move[] = [
      { ...move, conversationIds: ['a', 'b', 'c', 'd'] },
      { ...release, conversationIds: ['e', 'f'] },
    ];
    const found = new Map<string, Found>([
      ['a', { ...asPlanned, id: 'a' }],
      ['b', { ...asPlanned, id: 'b', holderId: 't9' }],
      ['d', { ...asPlanned, id: 'd', holderId: 't9' }],
      ['e', { ...asPlanned, id: 'e', status: 'closed' }],
      ['f', { ...asPlanned, id: 'f' }],
    ]);
    expect(judge(planned, found, usual)).toEqual({
      moves: [
        { ...move, conversationIds: ['a'] },
        { ...release, conversationIds: ['f'] },
      ],
      skips: [
        { reason: 'holder-changed', conversationIds: ['b', 'd'] },
        { reason: 'gone', conversationIds: ['c'] },
        { reason: 'status-changed', conversationIds: ['e'] },
      ],
    });
  });

  it('knows no reason outside the closed set', () => {
    expect(SKIP_REASONS).toEqual([
      'holder-changed',
      'status-changed',
      'opted-out',
      'target-inactive',
      'already-there',
      'over-cap',
      'gone',
    ]);
  });
});

describe('skips', () => {
  it('of one reason are told as one, in the order they came', () => {
    const one = [{ reason: 'gone', conversationIds: ['a'] }] as const;
    const two = [
      { reason: 'opted-out', conversationIds: ['b'] },
      { reason: 'gone', conversationIds: ['c', 'd'] },
    ] as const;
    expect(mergeSkips(one, two)).toEqual([
      { reason: 'gone', conversationIds: ['a', 'c', 'd'] },
      { reason: 'opted-out', conversationIds: ['b'] },
    ]);
    expect(one[0].conversationIds).toEqual(['a']);
  });

  it('of nothing are nothing', () => {
    expect(mergeSkips([], [])).toEqual([]);
  });
});

describe('what slipped away between plan and write', () => {
  it('is told by target, whoever it was to come from', () => {
    const planned: Move[] = [
      { ...move, conversationIds: ['a', 'b'] },
      { ...move, from: 't3', conversationIds: ['c'] },
      { ...move, to: 't4', conversationIds: ['d'] },
      { ...release, conversationIds: ['e', 'f'] },
    ];
    const written: Move[] = [
      { ...move, conversationIds: ['b'] },
      { ...move, to: 't4', conversationIds: ['d'] },
      { ...release, conversationIds: ['e'] },
    ];
    expect(slipsBetween(planned, written)).toEqual([
      { to: 't2', count: 2 },
      { to: null, count: 1 },
    ]);
  });

  it('is nothing when all was written', () => {
    expect(slipsBetween([move, release], [move, release])).toEqual([]);
  });
});

describe('a batch', () => {
  it('groups what makes the same move, and counts what was selected and what moves', () => {
    const draft = new BatchDraft();
    const candidate = (id: string, holderId: string | null): Parameters<BatchDraft['addMove']>[0] => ({
      id,
      holderId,
      status: 'closed',
      waitingSince: 0,
      optedOut: false,
    });
    draft.addMove(candidate('a', null), 't1');
    draft.addMove(candidate('b', 't1'), null);
    draft.addMove(candidate('c', null), 't1');
    draft.addSkip(candidate('d', null), 'opted-out');
    draft.addMove({ ...candidate('e', null), status: 'needs-reply' }, 't1');
    draft.addSkip(candidate('f', null), 'opted-out');
    expect([draft.selectedCount, draft.moveCount]).toEqual([6, 4]);
    const after = { position: null, loads: [], planned: 4 };
    const batch = draft.finish({ operationId: 'op', campaignId: 'c', number: 1, after });
    expect(batch).toEqual({
      operationId: 'op',
      campaignId: 'c',
      number: 1,
      after,
      moves: [
        { from: null, to: 't1', status: 'closed', conversationIds: ['a', 'c'] },
        { from: 't1', to: null, status: 'closed', conversationIds: ['b'] },
        { from: null, to: 't1', status: 'needs-reply', conversationIds: ['e'] },
      ],
      skips: [{ reason: 'opted-out', conversationIds: ['d', 'f'] }],
    });
    expect(countMoves(batch.moves)).toBe(4);
  });
});
