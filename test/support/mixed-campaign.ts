import type { Seeded } from './harness.ts';

/** Of 14: 6 of the pool, of several statuses and one opted out, 4 of t1 and 4 of t2. */
export const MIXED: readonly Seeded[] = [
  { status: 'needs-reply', waitedMs: 9_000 },
  { status: 'needs-reply', waitedMs: 9_000 },
  { status: 'not-started', waitedMs: 5_000, optedOut: true },
  { status: 'not-started', waitedMs: 4_000 },
  { status: 'not-started', waitedMs: 3_000 },
  { status: 'closed' },
  ...(['needs-reply', 'not-started', 'in-progress', 'awaiting-contact'] as const).flatMap((status) => [
    { status, assigneeId: 't1', waitedMs: 6_000 },
    { status, assigneeId: 't2', waitedMs: 6_000, optedOut: status === 'in-progress' },
  ]),
];
