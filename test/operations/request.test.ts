import { describe, expect, it } from 'vitest';
import { Refusal, type RefusalCode } from '../../src/domain/errors.ts';
import type { ReassignRequest } from '../../src/operations/contract.ts';
import { needsCampaignLock } from '../../src/operations/kinds.ts';
import { resolveSources, resolveTargets } from '../../src/operations/sources-and-targets.ts';
import { type Texter } from '../../src/campaigns/ports.ts';

const texters: readonly Texter[] = [
  { texterId: 't1', joinedOrder: 1, active: true },
  { texterId: 't2', joinedOrder: 2, active: false },
  { texterId: 't3', joinedOrder: 3, active: true },
  { texterId: 't4', joinedOrder: 4, active: true },
];
const named = (...texterIds: string[]): { texterIds: string[] } => ({ texterIds });
const request = (from: ReassignRequest['from'], to: ReassignRequest['to']): ReassignRequest => ({
  kind: 'reassign',
  operationId: 'op',
  campaignId: 'c',
  from,
  to,
  status: 'any',
  spread: 'even',
});
const targetsOf = (from: ReassignRequest['from'], to: ReassignRequest['to'], among = texters): string[] =>
  resolveTargets(request(from, to), among).map(({ texterId }) => texterId);

function codeOf(act: () => unknown): RefusalCode | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('the sources of a move', () => {
  it('are the pool, everyone with the pool first and the paused too, or those named, once each', () => {
    expect(resolveSources('pool', texters)).toEqual([null]);
    expect(resolveSources('everyone', texters)).toEqual([null, 't1', 't2', 't3', 't4']);
    expect(resolveSources(named('t2', 't1', 't2'), texters)).toEqual(['t2', 't1']);
  });

  it('must be texters of the campaign', () => {
    expect(codeOf(() => resolveSources(named('t1', 'ghost'), texters))).toBe('unknown-texter');
  });
});

describe('the targets of a move', () => {
  it('to everyone are all active texters when it comes from the pool or from everyone', () => {
    expect(targetsOf('pool', 'everyone')).toEqual(['t1', 't3', 't4']);
    expect(targetsOf('everyone', 'everyone')).toEqual(['t1', 't3', 't4']);
  });

  it('to everyone leave out those whose conversations are dealt', () => {
    expect(targetsOf(named('t1'), 'everyone')).toEqual(['t3', 't4']);
    expect(targetsOf(named('t1', 't2', 't4'), 'everyone')).toEqual(['t3']);
  });

  it('may be among the sources, as long as there is more than one texter in it', () => {
    expect(targetsOf(named('t1', 't3'), named('t1', 't3'))).toEqual(['t1', 't3']);
    expect(targetsOf(named('t1', 't3'), named('t3'))).toEqual(['t3']);
    expect(targetsOf(named('t1'), named('t1', 't3'))).toEqual(['t1', 't3']);
  });

  it.each<[string, RefusalCode, ReassignRequest['from'], ReassignRequest['to']]>([
    ['nobody', 'no-targets', 'pool', named()],
    ['everyone but the only ones', 'no-targets', named('t1', 't3', 't4'), 'everyone'],
    ['somebody unknown', 'unknown-texter', 'pool', named('t1', 'ghost')],
    ['somebody paused', 'target-inactive', 'pool', named('t1', 't2')],
    ['the only source', 'same-source-and-target', named('t1'), named('t1')],
    ['the only source, named twice', 'same-source-and-target', named('t1', 't1'), named('t1', 't1')],
  ])('cannot be %s: %s', (_who, code, from, to) => {
    expect(codeOf(() => targetsOf(from, to))).toBe(code);
  });

  it('cannot be everyone of a campaign without texters', () => {
    expect(codeOf(() => targetsOf('pool', 'everyone', []))).toBe('no-targets');
  });
});

it('only moves of many wait for each other', () => {
  expect(needsCampaignLock(request('pool', 'everyone'))).toBe(true);
  const one = { operationId: 'op', campaignId: 'c', conversationId: 'x' } as const;
  expect([
    needsCampaignLock({ kind: 'unassign-one', ...one }),
    needsCampaignLock({ kind: 'reassign-one', ...one, to: { texterIds: ['t1'] } }),
  ]).toEqual([false, false]);
});
