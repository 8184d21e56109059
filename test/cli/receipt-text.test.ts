import { describe, expect, it } from 'vitest';
import { AssigneeNames } from '../../src/cli/assignee-names.ts';
import { laidOut } from '../../src/cli/layout.ts';
import { stateText } from '../../src/cli/operation-text.ts';
import { previewText } from '../../src/cli/preview-text.ts';
import { overLimitText, receiptText, type Loads } from '../../src/cli/receipt-text.ts';
import type { Assignee, Status } from '../../src/domain/conversation.ts';
import { totalUp, type MoveCount, type Receipt, type SkipCount } from '../../src/domain/receipt.ts';
import type { ViewedOperation } from '../../src/operations/index.ts';

const texter = (texterId: string, name: string, joinedOrder: number) => ({ texterId, name, joinedOrder, active: true });
const NAMES = new AssigneeNames([
  texter('t_k', 'Kevin', 1),
  texter('t_r', 'Rebecca', 2),
  texter('t_a', 'Ann', 3),
  texter('t_a2', 'Ann', 4),
  texter('t_s', 'Smith, Jane', 5),
]);

const move = (from: Assignee, to: Assignee, count: number, status: Status = 'needs-reply'): MoveCount => ({
  ...{ from, to, count, status },
});

function shown(moves: MoveCount[], skipped: SkipCount[] = [], asked: number | null = null, loads?: Loads): string {
  return laidOut(receiptText(totalUp(moves, skipped, { asked, ended: true }), NAMES, loads), 80);
}

describe('the text of a receipt', () => {
  it('is what the help video says', () => {
    const loads = new Map([
      ['t_k', 2],
      ['t_r', 4],
    ]);
    expect(shown([move('t_k', 't_r', 2)], [], null, loads)).toBe(
      'Moved 2 from Kevin to Rebecca. Kevin now has 2, Rebecca 4.\nBy status: needs-reply 2.',
    );
  });

  it('warns of limits in the order of joining, and in one line for many texters', () => {
    const over = ['t_r', 't_k'].map((texterId, index) => ({
      ...{ texterId, limit: 'open-max' as const, max: 300, count: 310 + index },
    }));
    expect(overLimitText(over, NAMES)).toBe(
      'Warning: 311 not-started conversations for Kevin. Claims stop at 300.\n' +
        'Warning: 310 not-started conversations for Rebecca. Claims stop at 300.',
    );
    const many = Array.from({ length: 19 }, (_, index) => ({
      ...{ texterId: `t${index}`, limit: 'replies-max' as const, max: 5, count: 6 + index },
    }));
    expect(overLimitText(many, NAMES)).toBe(
      'Warning: up to 24 needs-reply conversations each for 19 texters. Claims stop at 5.',
    );
    expect(overLimitText([], NAMES)).toBe(false);
  });

  it('quotes a name with a comma, which would look like two texters', () => {
    const text = shown([move('t_k', 't_s', 1)], [], null, new Map([['t_k', 2] as const, ['t_s', 1] as const]));
    expect(text).toBe('Moved 1 from Kevin to "Smith, Jane". Kevin now has 2, "Smith, Jane" 1.');
  });

  it('has one table for many assignees, in the order of joining with the pool last', () => {
    const moves = [move(null, 't_a2', 1), move(null, 't_r', 2, 'closed'), move(null, 't_k', 2), move(null, 't_a', 1)];
    const loads = new Map([[null, 0] as const, ...['t_k', 't_r', 't_a', 't_a2'].map((id) => [id, 9] as const)]);
    expect(shown(moves, [], null, loads)).toBe(
      [
        'Moved 6 from the pool to 4 texters.',
        'By status: needs-reply 4, closed 2.',
        '',
        'texter      received  gave  now has',
        '──────────  ────────  ────  ───────',
        'Kevin              2     0        9',
        'Rebecca            2     0        9',
        'Ann (t_a)          1     0        9',
        'Ann (t_a2)         1     0        9',
        'pool               0     6        0',
      ].join('\n'),
    );
  });

  it('says in words why fewer conversations moved, and why some were skipped', () => {
    const skipped = [
      { reason: 'opted-out', count: 2 },
      { reason: 'already-there', count: 1 },
    ] as const;
    expect(shown([move('t_k', null, 3)], [...skipped], 5)).toContain(
      'Moved 3 of the 5 asked for from Kevin to the pool: no more conversations match.',
    );
    expect(shown([move('t_k', null, 3)], [...skipped])).toContain(
      'Skipped 3: the contact opted out 2, already there 1.',
    );
    expect(shown([], [{ reason: 'opted-out', count: 1 }])).toBe(
      'The conversation did not move: the contact opted out.',
    );
    expect(shown([])).toBe('Moved nothing: no conversations match.');
  });

  it('of a preview has one table with what each assignee would give, receive and have', () => {
    const preview = {
      ...{ countedAt: '2026-04-12T10:20:30.400Z', selected: 3, moved: 3, skipped: [] },
      moves: [move('t_k', 't_r', 1), move('t_k', 't_r', 2, 'closed')],
      assignees: [
        { assigneeId: 't_r', before: 1, after: 4 },
        { assigneeId: 't_k', before: 3, after: 0 },
      ],
    };
    expect(laidOut(previewText(preview, NAMES), 80)).toBe(
      [
        'Would move 3 from Kevin to Rebecca. Nothing was changed.',
        'By status: needs-reply 1, closed 2.',
        '',
        'texter   has now  gives  gets  needs-reply  closed  would have',
        '───────  ───────  ─────  ────  ───────────  ──────  ──────────',
        'Kevin          3      3     0            0       0           0',
        'Rebecca        1      0     3            1       2           4',
        '',
        'Counted at 2026-04-12 10:20:30 UTC.',
      ].join('\n'),
    );
  });
});

describe('the state of an operation', () => {
  const stateOf = (fields: Partial<ViewedOperation>): string =>
    stateText({ state: 'failed', error: null, ...fields } as ViewedOperation);
  const error = (code: string) => ({ code, message: '', expected: null, received: null });

  it('is refused for a refusal, and failed for what a retry can continue', () => {
    expect(stateOf({ error: error('campaign-closed') })).toBe('refused');
    expect(stateOf({ error: error('attempts-exhausted') })).toBe('failed');
    expect(stateOf({ error: error('targets-lost') })).toBe('failed');
  });

  it('says how many operations are ahead, and how far a running one has come', () => {
    expect(stateOf({ state: 'accepted', ahead: 3 })).toBe('accepted, 3 ahead');
    expect(stateOf({ state: 'accepted', ahead: 0 })).toBe('accepted, next');
    expect(stateOf({ state: 'running', progress: { moved: 500, left: 1_500 } })).toBe('running, 500 of 2000');
    expect(stateOf({ state: 'done', receipt: {} as Receipt })).toBe('done');
  });
});
