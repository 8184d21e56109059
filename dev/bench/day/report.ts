import { facts, table } from '../../../src/cli/terminal.ts';
import type { AuditReport } from '../../../test/support/audit/audit.ts';
import { quantile } from '../load.ts';
import type { DayOptions } from './options.ts';
import type { DayRequest, Ending } from './requests.ts';
import type { TexterTime } from './texter.ts';

/** A request that has no answer after this time counts as unanswered, also if the answer comes later. */
const UNANSWERED_AFTER_MS = 90_000;
/** The load generator delays what it measures if its event loop is blocked for longer than this. */
const EVENT_LOOP_MS_MAX = 50;

/** The waits for one kind of request. Requests without an answer count with the time that they were waited for. */
export interface KindRow extends Waits, Readonly<Record<Exclude<Ending, 'answered'>, number>> {
  readonly kind: string;
  /** The number of requests by refusal code or error. */
  readonly codes: Readonly<Record<string, number>>;
}

export interface Waits {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface DayReport {
  readonly options: DayOptions;
  readonly kinds: readonly KindRow[];
  /** The sums over all texters. */
  readonly texters: TexterTime;
  /** The parts of the texters' time, from 0 to 1. */
  readonly waitedForClaims: number;
  readonly waitedForWrites: number;
  readonly messagesPerSecond: number;
  readonly writes: Waits & { readonly failed: number; readonly perSecond: number };
  readonly kills: number;
  readonly eventLoopP99Ms: number;
  readonly audit: AuditReport;
}

export function rowsOf(requests: readonly DayRequest[]): KindRow[] {
  const kinds = [...new Set(requests.map(({ kind }) => kind))].sort();
  return kinds.map((kind) => {
    const own = requests.filter((request) => request.kind === kind);
    const isUnanswered = (each: DayRequest) => each.ending === 'unanswered' || each.waitedMs > UNANSWERED_AFTER_MS;
    const ended = own.filter((request) => !isUnanswered(request));
    const count = (ending: Ending) => ended.filter((request) => request.ending === ending).length;
    return {
      kind,
      ...waitsOf(own.map(({ waitedMs }) => waitedMs)),
      unanswered: own.length - ended.length,
      failed: count('failed'),
      halted: count('halted'),
      refused: count('refused'),
      codes: countCodes(own),
    };
  });
}

export function waitsOf(waits: readonly number[]): Waits {
  const sorted = [...waits].sort((a, b) => a - b);
  const [p50Ms, p99Ms] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
  return { count: sorted.length, p50Ms, p99Ms, maxMs: sorted.at(-1) ?? NaN };
}

function countCodes(requests: readonly DayRequest[]): Record<string, number> {
  const codes: Record<string, number> = {};
  for (const { code } of requests) if (code !== null) codes[code] = (codes[code] ?? 0) + 1;
  return codes;
}

export function drawDay(report: DayReport): string {
  return [drawKinds(report.kinds), facts(factsOf(report)), ...report.audit.violations.slice(0, 20)].join('\n\n');
}

function drawKinds(kinds: readonly KindRow[]): string {
  const head = ['request', 'count', 'p50 s', 'p99 s', 'max s', 'unanswered', 'failed', 'halted', 'refused', 'codes'];
  const rows = kinds.map((row) => [
    row.kind,
    row.count,
    ...[row.p50Ms, row.p99Ms, row.maxMs].map(inSeconds),
    ...[row.unanswered, row.failed, row.halted, row.refused],
    Object.entries(row.codes)
      .map(([code, times]) => `${code} ${times}`)
      .join(', '),
  ]);
  return table(head, rows);
}

function factsOf(report: DayReport): [string, string | number][] {
  const { options, writes, audit, kills, eventLoopP99Ms } = report;
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
  const isSlow = eventLoopP99Ms > EVENT_LOOP_MS_MAX;
  return [
    ['texters waited for claims', `${percent(report.waitedForClaims)} of their time`],
    ['texters waited for their writes', `${percent(report.waitedForWrites)} of their time`],
    ['messages per second', `${report.messagesPerSecond.toFixed(0)} of at most ${options.texters * options.actions}`],
    [
      'writes of the upstream app',
      `${writes.count}, ${writes.perSecond.toFixed(0)} per second, ${writes.failed} failed`,
    ],
    [
      'their time',
      `p50 ${inSeconds(writes.p50Ms)} s, p99 ${inSeconds(writes.p99Ms)} s, max ${inSeconds(writes.maxMs)} s`,
    ],
    ['workers killed', kills],
    [
      'load generator',
      `event loop p99 ${eventLoopP99Ms.toFixed(0)} ms${isSlow ? '; TOO SLOW: it adds to every time above' : ''}`,
    ],
    ['audit checked', JSON.stringify(audit.checked)],
    ['audit violations', audit.violations.length],
  ];
}

function inSeconds(ms: number): string {
  return (ms / 1_000).toFixed(2);
}
