import { describe, expect, it } from 'vitest';
import { BatchDraft, countMoves, shortfallsBetween, type Move } from '../../src/operations/batch.ts';
import { SKIP_REASONS } from '../../src/domain/receipt.ts';
import { evaluate, mergeSkips, type Found, type Guard } from '../../src/operations/evaluate.ts';

const move: Move = { from: 't1', to: 't2', status: 'not-started', conversationIds: ['c'] };
const release: Move = { ...move, to: null };
const asPlanned: Found = {
  id: 'c',
  assigneeId: 't1',
  status: 'not-started',
  optedOut: false,
  isMovedBefore: false,
  lastOperationId: 'a',
};
const usual: Guard = { statuses: ['not-started', 'needs-reply'], lastMovedBy: null, inactive: new Set() };

/** The one conversation's fate: `moves`, its reason for not moving, or `nothing` of it. */
function fateOf(planned: Move, found: Partial<Found> | undefined, guard: Partial<Guard> = {}): string {
  const now = new Map(found ? [['c', { ...asPlanned, ...found }]] : []);
  const { moves, skips } = evaluate([planned], now, { ...usual, ...guard });
  if (moves.length > 0) return 'moves';
  return skips[0]?.reason ?? 'nothing';
}

describe('the evaluation on a planned move', () => {
  const TABLE: [string, string, Move, Partial<Found> | undefined, Partial<Guard>?][] = [
    ['moves when all is as planned', 'moves', move, {}],
    ['moves when its status changed to another that was asked for', 'moves', move, { status: 'needs-reply' }],
    ['is gone when nobody finds it', 'gone', move, undefined],
    [
      'is nothing new when this operation has moved it before',
      'nothing',
      move,
      { isMovedBefore: true, assigneeId: 't3' },
    ],
    ['is already there when the target holds it', 'already-there', move, { assigneeId: 't2' }],
    ['changed assignee when somebody else holds it', 'assignee-changed', move, { assigneeId: 't3' }],
    ['changed assignee when it went back to the pool', 'assignee-changed', move, { assigneeId: null }],
    ['changed status when it is none that was asked for', 'status-changed', move, { status: 'closed' }],
    ['opted out meanwhile', 'opted-out', move, { optedOut: true }],
    ['loses its target when that was paused', 'target-inactive', move, {}, { inactive: new Set(['t2']) }],
    ['does not mind others that were paused', 'moves', move, {}, { inactive: new Set(['t1', 't3']) }],
    ['is released although it opted out', 'moves', release, { optedOut: true }],
    ['is released although everybody was paused', 'moves', release, {}, { inactive: new Set(['t1', 't2']) }],
    ['is already in the pool', 'already-there', release, { assigneeId: null }],
    ['moves when the operation to undo was the last to move it', 'moves', move, {}, { lastMovedBy: 'a' }],
    [
      'changed assignee when another moved it since',
      'assignee-changed',
      move,
      { lastOperationId: 'b' },
      { lastMovedBy: 'a' },
    ],
    [
      'changed assignee, and not "already there", when it was given back before',
      'assignee-changed',
      move,
      { lastOperationId: 'b', assigneeId: 't2' },
      { lastMovedBy: 'a' },
    ],
    [
      'tells the assignee before the status',
      'assignee-changed',
      move,
      { assigneeId: 't3', status: 'closed', optedOut: true },
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
    expect(evaluate([move, again], moving, usual)).toEqual({ moves: [move], skips: [] });
    expect(evaluate([move, again], skipped, usual).skips).toEqual([{ reason: 'opted-out', conversationIds: ['c'] }]);
  });

  it('says the status that was found', () => {
    const planned = [{ ...move, conversationIds: ['a', 'b', 'c'] }];
    const now = new Map<string, Found>([
      ['a', { ...asPlanned, id: 'a' }],
      ['b', { ...asPlanned, id: 'b', status: 'needs-reply' }],
      ['c', { ...asPlanned, id: 'c' }],
    ]);
    expect(evaluate(planned, now, usual).moves).toEqual([
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
      ['b', { ...asPlanned, id: 'b', assigneeId: 't9' }],
      ['d', { ...asPlanned, id: 'd', assigneeId: 't9' }],
      ['e', { ...asPlanned, id: 'e', status: 'closed' }],
      ['f', { ...asPlanned, id: 'f' }],
    ]);
    expect(evaluate(planned, found, usual)).toEqual({
      moves: [
        { ...move, conversationIds: ['a'] },
        { ...release, conversationIds: ['f'] },
      ],
      skips: [
        { reason: 'assignee-changed', conversationIds: ['b', 'd'] },
        { reason: 'gone', conversationIds: ['c'] },
        { reason: 'status-changed', conversationIds: ['e'] },
      ],
    });
  });

  it('knows no reason outside the closed set', () => {
    expect(SKIP_REASONS).toEqual([
      'assignee-changed',
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

describe('what shortfallCount away between plan and write', () => {
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
    expect(shortfallsBetween(planned, written)).toEqual([
      { to: 't2', count: 2 },
      { to: null, count: 1 },
    ]);
  });

  it('is nothing when all was written', () => {
    expect(shortfallsBetween([move, release], [move, release])).toEqual([]);
  });
});

describe('a batch', () => {
  it('groups what makes the same move, and counts what was selected and what moves', () => {
    const draft = new BatchDraft();
    const candidate = (id: string, assigneeId: string | null): Parameters<BatchDraft['addMove']>[0] => ({
      id,
      assigneeId,
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
