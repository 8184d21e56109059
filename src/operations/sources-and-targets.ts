import type { Texter } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { Refusal, unknownTexter } from '../domain/errors.ts';
import type { Sources, Targets } from './contract.ts';

/**
 * Returns the assignees whose conversations are read: the pool first, then texters, then assignees who are not on the
 * campaign. `others` lists assignees of conversations: of those who are not on the campaign, all that the request can mean.
 */
export function resolveSources(from: Sources, texters: readonly Texter[], others: readonly string[]): Assignee[] {
  if (from === 'pool') return [null];
  const known = texters.map(({ texterId }) => texterId);
  const all = [...new Set([...known, ...others])];
  if (from === 'everyone') return [null, ...all];
  const unknown = from.texterIds.find((id) => !all.includes(id));
  if (unknown !== undefined) throw unknownTexter(unknown);
  return [...new Set(from.texterIds)];
}

/**
 * Returns the active texters that conversations are dealt to. The dealing order is not decided here. A request for one
 * conversation has no `from`.
 */
export function resolveTargets(
  { from, to }: { readonly from?: Sources; readonly to: Targets },
  texters: readonly Texter[],
): Texter[] {
  if (to === 'everyone') return activeTextersBut(from ?? 'pool', texters);
  if (to.texterIds.length === 0) {
    throw new Refusal('no-targets', {
      message: 'a reassign needs at least one texter as its target',
      expected: 'at least one texter to deal to',
      received: 'an empty list',
    });
  }
  const named = knownTexters(to.texterIds, texters);
  refusePaused(named);
  if (from) refuseSameSourceAndTarget(from, named);
  return named;
}

/** Dealing texters' conversations to everyone leaves these texters out. */
function activeTextersBut(from: Sources, texters: readonly Texter[]): Texter[] {
  const leftOut = typeof from === 'string' ? [] : from.texterIds;
  const targets = texters.filter((texter) => texter.active && !leftOut.includes(texter.texterId));
  if (targets.length > 0) return targets;
  throw new Refusal('no-targets', {
    message: `the campaign has no ${leftOut.length > 0 ? 'other active texter' : 'active texter'} to give conversations to`,
    expected: 'at least one other active texter on the campaign',
    received: 'none',
  });
}

function refusePaused(targets: readonly Texter[]): void {
  const paused = targets.find((texter) => !texter.active);
  if (!paused) return;
  throw new Refusal('target-inactive', {
    message: `texter ${paused.texterId} is paused and cannot be given conversations`,
    expected: 'active texters as targets',
    received: `${paused.texterId}, paused`,
  });
}

function refuseSameSourceAndTarget(from: Sources, targets: readonly Texter[]): void {
  if (typeof from === 'string' || targets.length !== 1) return;
  const sources = new Set(from.texterIds);
  const target = targets[0]?.texterId ?? '';
  if (sources.size !== 1 || !sources.has(target)) return;
  throw new Refusal('same-source-and-target', {
    message: `${target} is both the only source and the only target`,
    expected: 'a target other than the source',
    received: target,
  });
}

function knownTexters(ids: readonly string[], texters: readonly Texter[]): Texter[] {
  const byId = new Map(texters.map((texter) => [texter.texterId, texter]));
  return [...new Set(ids)].map((id) => {
    const texter = byId.get(id);
    if (!texter) throw unknownTexter(id);
    return texter;
  });
}
