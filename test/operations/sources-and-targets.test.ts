import { describe, expect, it } from 'vitest';
import { Refusal, type RefusalCode } from '../../src/domain/errors.ts';
import type { ReassignRequest } from '../../src/operations/contract.ts';
import { needsCampaignLock } from '../../src/operations/kinds.ts';
import { resolveSources, resolveTargets } from '../../src/operations/sources-and-targets.ts';
import { type Texter } from '../../src/campaigns/campaign.ts';

const texters: readonly Texter[] = [
  { texterId: 't1', name: 'Texter', joinedOrder: 1, active: true },
  { texterId: 't2', name: 'Texter', joinedOrder: 2, active: false },
  { texterId: 't3', name: 'Texter', joinedOrder: 3, active: true },
  { texterId: 't4', name: 'Texter', joinedOrder: 4, active: true },
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
  resolveTargets(request(from, to), among, false).targets.map(({ texterId }) => texterId);

function codeOf(act: () => unknown): RefusalCode | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('resolveSources', () => {
  it('returns the pool, or the pool and all texters, paused ones included, or the named texters once each', () => {
    expect(resolveSources('pool', texters, [])).toEqual([null]);
    expect(resolveSources('everyone', texters, [])).toEqual([null, 't1', 't2', 't3', 't4']);
    expect(resolveSources(named('t2', 't1', 't2'), texters, [])).toEqual(['t2', 't1']);
  });

  it('also returns assignees who are not on the campaign, for everyone and when they are named', () => {
    expect(resolveSources('everyone', texters, ['t1', 'gone'])).toEqual([null, 't1', 't2', 't3', 't4', 'gone']);
    expect(resolveSources(named('gone', 't2'), texters, ['gone'])).toEqual(['gone', 't2']);
  });

  it('refuses a texter who is not on the campaign and has no conversation with unknown-texter', () => {
    expect(codeOf(() => resolveSources(named('t1', 'ghost'), texters, ['gone']))).toBe('unknown-texter');
  });
});

describe('resolveTargets', () => {
  it('returns all active texters for everyone, when the source is the pool or everyone', () => {
    expect(targetsOf('pool', 'everyone')).toEqual(['t1', 't3', 't4']);
    expect(targetsOf('everyone', 'everyone')).toEqual(['t1', 't3', 't4']);
  });

  it('leaves out the source texters for everyone', () => {
    expect(targetsOf(named('t1'), 'everyone')).toEqual(['t3', 't4']);
    expect(targetsOf(named('t1', 't2', 't4'), 'everyone')).toEqual(['t3']);
  });

  it('accepts a target that is also a source when there is another source or target', () => {
    expect(targetsOf(named('t1', 't3'), named('t1', 't3'))).toEqual(['t1', 't3']);
    expect(targetsOf(named('t1', 't3'), named('t3'))).toEqual(['t3']);
    expect(targetsOf(named('t1'), named('t1', 't3'))).toEqual(['t1', 't3']);
  });

  it.each<[string, RefusalCode, ReassignRequest['from'], ReassignRequest['to']]>([
    ['an empty list of targets', 'no-targets', 'pool', named()],
    ['everyone when all active texters are sources', 'no-targets', named('t1', 't3', 't4'), 'everyone'],
    ['a target who is not on the campaign', 'unknown-texter', 'pool', named('t1', 'ghost')],
    ['a paused target', 'target-inactive', 'pool', named('t1', 't2')],
    ['the only source as the only target', 'same-source-and-target', named('t1'), named('t1')],
    [
      'the only source as the only target, each named twice',
      'same-source-and-target',
      named('t1', 't1'),
      named('t1', 't1'),
    ],
  ])('refuses %s with %s', (_targets, code, from, to) => {
    expect(codeOf(() => targetsOf(from, to))).toBe(code);
  });

  it('refuses everyone on a campaign without texters with no-targets', () => {
    expect(codeOf(() => targetsOf('pool', 'everyone', []))).toBe('no-targets');
  });
});

it('a bulk operation needs the campaign lock, and an operation on one conversation does not', () => {
  expect(needsCampaignLock(request('pool', 'everyone'))).toBe(true);
  const one = { operationId: 'op', campaignId: 'c', conversationId: 'x' } as const;
  expect([
    needsCampaignLock({ kind: 'unassign-one', ...one }),
    needsCampaignLock({ kind: 'reassign-one', ...one, to: { texterIds: ['t1'] } }),
  ]).toEqual([false, false]);
});
