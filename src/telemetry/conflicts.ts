/** Where a transaction met the write of another program or worker and had to be repeated. */
export type ConflictKind = 'batch' | 'claim' | 'move';

const counts: Record<ConflictKind, number> = { batch: 0, claim: 0, move: 0 };

/** Counts one conflict of this process. Call it once for each transaction that is repeated. */
export function countConflict(kind: ConflictKind): void {
  counts[kind] += 1;
}

/** Returns the conflicts of this process since its start. */
export function conflictCounts(): Readonly<Record<ConflictKind, number>> {
  return { ...counts };
}
