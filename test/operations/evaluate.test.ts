import { describe, expect, it } from 'vitest';
import { BatchDraft, shortfallsBetween } from '../../src/operations/batch.ts';
import { countMoves, type Move } from '../../src/operations/moves.ts';
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
const usual: Guard = {
  statuses: ['not-started', 'needs-reply'],
  lastMovedBy: null,
  dealsAgain: false,
  inactive: new Set(),
};

const undone = { operationId: 'a', includeWorkedOn: false };

/** Returns `moves`, the skip reason, or `nothing` when the conversation is not counted. */
function decisionOn(planned: Move, found: Partial<Found> | undefined, guard: Partial<Guard> = {}): string {
  const now = new Map(found ? [['c', { ...asPlanned, ...found }]] : []);
  const { moves, skips } = evaluate([planned], now, { ...usual, ...guard });
  if (moves.length > 0) return 'moves';
  return skips[0]?.reason ?? 'nothing';
}

describe('evaluating a planned conversation', () => {
  const TABLE: [string, string, Move, Partial<Found> | undefined, Partial<Guard>?][] = [
    ['moves it when everything is as planned', 'moves', move, {}],
    ['moves it when its status changed to another requested status', 'moves', move, { status: 'needs-reply' }],
    ['skips it as gone when it no longer exists', 'gone', move, undefined],
    [
      'does not count it again when this operation has moved it before',
      'nothing',
      move,
      { isMovedBefore: true, assigneeId: 't3' },
    ],
    ['skips it as already-there when the target is its assignee', 'already-there', move, { assigneeId: 't2' }],
    [
      'skips it as assignee-changed when another texter is its assignee',
      'assignee-changed',
      move,
      { assigneeId: 't3' },
    ],
    ['skips it as assignee-changed when it went back to the pool', 'assignee-changed', move, { assigneeId: null }],
    ['skips it as status-changed when its status is not a requested one', 'status-changed', move, { status: 'closed' }],
    ['skips it as opted-out when its contact opted out', 'opted-out', move, { optedOut: true }],
    [
      'skips it as target-inactive when the target was paused',
      'target-inactive',
      move,
      {},
      { inactive: new Set(['t2']) },
    ],
    ['moves it when other texters were paused', 'moves', move, {}, { inactive: new Set(['t1', 't3']) }],
    ['moves it to the pool although its contact opted out', 'moves', release, { optedOut: true }],
    [
      'moves it to the pool although all texters were paused',
      'moves',
      release,
      {},
      { inactive: new Set(['t1', 't2']) },
    ],
    ['skips it as already-there when it is in the pool already', 'already-there', release, { assigneeId: null }],
    ['moves it back when the undone operation was the last to move it', 'moves', move, {}, { lastMovedBy: undone }],
    [
      'skips it as assignee-changed when another operation moved it since',
      'assignee-changed',
      move,
      { lastOperationId: 'b' },
      { lastMovedBy: undone },
    ],
    [
      'skips it as assignee-changed, not already-there, when it was moved back before',
      'assignee-changed',
      move,
      { lastOperationId: 'b', assigneeId: 't2' },
      { lastMovedBy: undone },
    ],
    [
      'skips it as assignee-changed when another program moved it away and back',
      'assignee-changed',
      move,
      { sinceLastMove: 'moved' },
      { lastMovedBy: { ...undone, includeWorkedOn: true } },
    ],
    [
      'skips it as worked-on when its status or messages changed since the undone move',
      'worked-on',
      move,
      { sinceLastMove: 'worked-on' },
      { lastMovedBy: undone },
    ],
    [
      'moves it back although it was worked on when the undo includes these',
      'moves',
      move,
      { sinceLastMove: 'worked-on' },
      { lastMovedBy: { ...undone, includeWorkedOn: true } },
    ],
    [
      'reports every other reason before worked-on, because the undo could not move it in any case',
      'opted-out',
      move,
      { sinceLastMove: 'worked-on', optedOut: true },
      { lastMovedBy: undone },
    ],
    [
      'reports the assignee before the status',
      'assignee-changed',
      move,
      { assigneeId: 't3', status: 'closed', optedOut: true },
    ],
    ['reports the status before the opt-out', 'status-changed', move, { status: 'closed', optedOut: true }],
    ['reports the opt-out before the target', 'opted-out', move, { optedOut: true }, { inactive: new Set(['t2']) }],
  ];

  it.each(TABLE)('%s', (_sentence, decision, planned, found, guard) => {
    expect(decisionOn(planned, found, guard)).toBe(decision);
  });

  it('counts a conversation that was planned twice only once', () => {
    const again: Move = { ...move, to: 't3', status: 'needs-reply' };
    const [moving, skipped] = [new Map([['c', asPlanned]]), new Map([['c', { ...asPlanned, optedOut: true }]])];
    expect(evaluate([move, again], moving, usual)).toEqual({ moves: [move], skips: [] });
    expect(evaluate([move, again], skipped, usual).skips).toEqual([{ reason: 'opted-out', conversationIds: ['c'] }]);
  });

  it('returns the current status of each conversation, not the planned one', () => {
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

  it('decides for each conversation by itself, and accounts for every one', () => {
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

  it('has a closed set of skip reasons', () => {
    expect(SKIP_REASONS).toEqual([
      'assignee-changed',
      'status-changed',
      'opted-out',
      'target-inactive',
      'already-there',
      'worked-on',
      'incomplete',
      'gone',
    ]);
  });
});

describe('mergeSkips', () => {
  it('merges the skips of one reason, in their order', () => {
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

  it('returns nothing for nothing', () => {
    expect(mergeSkips([], [])).toEqual([]);
  });
});

describe('shortfallsBetween', () => {
  it('counts the missing moves by source and target', () => {
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
      { from: 't1', to: 't2', count: 1 },
      { from: 't3', to: 't2', count: 1 },
      { from: 't1', to: null, count: 1 },
    ]);
  });

  it('returns nothing when every planned move was written', () => {
    expect(shortfallsBetween([move, release], [move, release])).toEqual([]);
  });
});

describe('a batch draft', () => {
  it('groups conversations with the same move, and counts the selected and the moving ones', () => {
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
