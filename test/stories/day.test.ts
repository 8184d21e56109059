import { beforeAll, describe, expect, it } from 'vitest';
import { runDay } from '../../dev/bench/day/day.ts';
import type { DayReport } from '../../dev/bench/day/report.ts';

const OPTIONS = {
  texters: 8,
  contacts: 1_500,
  actions: 4,
  workers: 2,
  kills: 7,
  minutes: 0.2,
  every: 0.3,
  seed: 1,
  json: false,
};
/** The jobs of a killed worker continue soon, and operations on a campaign of this size have several batches. */
const WORKER_ENV = {
  BATON_LOCK_MS: '3000',
  BATON_STALLED_CHECK_MS: '500',
  BATON_SLICE_MS: '500',
  BATON_BATCH_CONVERSATIONS_MAX: '200',
};
const TIMEOUT_MS = 240_000;

/** A short day of a campaign. It checks what happened, not how long it took. */
describe('a day of a campaign', { timeout: TIMEOUT_MS }, () => {
  let report: DayReport;
  beforeAll(async () => {
    report = await runDay(OPTIONS, { workerEnv: WORKER_ENV, printsLog: false });
  }, TIMEOUT_MS);

  it('leaves a database in which everything adds up', () => {
    expect(report.audit.violations).toEqual([]);
  });

  it('answers or refuses every request', () => {
    const failed = report.kinds.filter((row) => row.unanswered + row.failed > 0);
    expect(failed).toEqual([]);
  });

  it('has texters, contacts and administrators at work at the same time', () => {
    expect(report.texters.messages).toBeGreaterThan(0);
    expect(report.writes.failed).toBe(0);
    expect(report.kills).toBeGreaterThan(0);
    const { operations, claims, undos, moves } = report.audit.checked;
    for (const count of [operations, claims, undos, moves]) expect(count).toBeGreaterThan(0);
    const kinds = report.kinds.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['import', 'read counts', 'preview', 'cancel', 'pause', 'resume']));
  });
});
