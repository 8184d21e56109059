import { describe, expect, it } from 'vitest';
import { byDirection, mergeMoves, type Move } from '../../src/operations/moves.ts';
import { addShortfalls } from '../../src/operations/batch.ts';

const move = (from: string, to: string, id: string): Move => ({ from, to, status: 'closed', conversationIds: [id] });

describe('texters whose ids contain a bar', () => {
  const there = move('x', 'x|x', 'one');
  const back = move('x|x', 'x', 'two');

  it('are kept apart when moves are grouped', () => {
    expect(byDirection([there, back])).toEqual([[there], [back]]);
    expect(mergeMoves([there, back])).toEqual([there, back]);
  });

  it('are kept apart when shortfalls are added up', () => {
    const shortfalls = [
      { from: 'x', to: 'x|x', count: 1 },
      { from: 'x|x', to: 'x', count: 2 },
    ];
    expect(addShortfalls(shortfalls)).toEqual(shortfalls);
  });
});
