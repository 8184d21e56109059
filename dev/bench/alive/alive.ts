import type { BenchSandbox } from '../bench-sandbox.ts';
import { benchBesideClaims, type ClaimsRun } from './beside-claims.ts';
import { benchBesideWrites, type WriteRate, type WritesRun } from './beside-writes.ts';
import { benchUndo, type UndoRun } from './undo.ts';

export interface AliveOptions {
  /** The conversations of the pool beside writes, and of the undo. */
  readonly conversations: number;
  /** The conversations of each pool beside claims. */
  readonly claimConversations: number;
  readonly writeRates: readonly WriteRate[];
  readonly rounds: number;
  /** An operation that takes longer is cancelled. */
  readonly limitMs: number;
}

export interface Alive {
  readonly writes: readonly WritesRun[];
  readonly claims: readonly ClaimsRun[];
  readonly undos: readonly UndoRun[];
}

const TEXTERS = 25;
const CLAIMERS = 20;
const UNDO_TEXTERS = 60;
const UNDO_WRITE_RATE = 100;

/** Measures operations on campaigns that other programs and texters change at the same time. */
export async function benchAlive(bench: BenchSandbox, options: AliveOptions): Promise<Alive> {
  const { conversations, claimConversations, writeRates, rounds, limitMs } = options;
  const common = { rounds, limitMs, texters: TEXTERS };
  return {
    writes: await benchBesideWrites(bench, { ...common, conversations, writeRates }),
    claims: await benchBesideClaims(bench, { ...common, conversations: claimConversations, claimers: CLAIMERS }),
    undos: await benchUndo(bench, { ...common, conversations, texters: UNDO_TEXTERS, writeRate: UNDO_WRITE_RATE }),
  };
}
