import type { Assignee } from '../../src/domain/conversation.ts';

/** Who has the conversations, by the index of the conversation. */
export type Assignment = (index: number) => Assignee;

export interface Direction {
  readonly name: string;
  readonly texters: number;
  readonly before: Assignment;
  /** Where the raw update puts them. */
  readonly after: Assignment;
  readonly asked: Readonly<Record<string, unknown>>;
  /** The measured operation is the undo of `asked`: it leads from `after` to `before`. */
  readonly isUndo?: true;
  readonly hasHistory?: true;
}

const FEW = 25;
const MANY = 2_000;

const pool: Assignment = () => null;
const one: Assignment = () => 't0';
const spreadOver =
  (texters: number): Assignment =>
  (index) =>
    `t${index % texters}`;

const deal = { kind: 'reassign', from: 'pool', to: 'everyone', status: 'any' } as const;
const level = { ...deal, spread: 'level' } as const;
const unassign = { kind: 'unassign', from: 'everyone', status: 'any', confirm: 10_000_000 } as const;
const fromOne = { from: { texterIds: ['t0'] } } as const;

const dealing = (name: string, texters: number, asked: object, more: Partial<Direction> = {}): Direction => {
  return { name, texters, before: pool, after: spreadOver(texters), asked: { ...asked }, ...more };
};
const returning = (name: string, texters: number, more: Partial<Direction> = {}): Direction => {
  return { name, texters, before: spreadOver(texters), after: pool, asked: unassign, ...more };
};

export const DIRECTIONS: readonly Direction[] = [
  dealing('pool to one', 1, deal),
  dealing('pool to 25', FEW, deal),
  dealing('pool to 25, level', FEW, level),
  dealing('pool to 25, full history', FEW, deal, { hasHistory: true }),
  dealing('pool to 2,000', MANY, deal),
  dealing('pool to 2,000, level', MANY, level),
  dealing('one to 24', FEW, { ...deal, ...fromOne }, { before: one }),
  returning('one to pool', FEW, { before: one, asked: { ...unassign, ...fromOne } }),
  returning('25 to pool', FEW),
  returning('25 to pool, full history', FEW, { hasHistory: true }),
  returning('2,000 to pool', MANY),
  dealing('undo of pool to 25', FEW, deal, { isUndo: true }),
  returning('undo of 25 to pool', FEW, { isUndo: true }),
  dealing('undo of pool to 2,000', MANY, deal, { isUndo: true }),
];
