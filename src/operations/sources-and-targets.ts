import type { Texter } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { Refusal, unknownTexter } from '../domain/errors.ts';
import { hasCounts, type Sources, type Targets } from './contract.ts';

/**
 * Returns the assignees whose conversations are read: the pool first, then texters, then assignees who are not on the
 * campaign. `others` lists assignees of conversations: of those who are not on the campaign, all that the request can mean.
 */
export function resolveSources(from: Sources, texters: readonly Texter[], others: readonly string[]): Assignee[] {
  if (from === 'pool') return [null];
  const known = texters.map(({ texterId }) => texterId);
  const all = new Set([...known, ...others]);
  if (from === 'everyone') return [null, ...all];
  const unknown = from.texterIds.find((id) => !all.has(id));
  if (unknown !== undefined) throw unknownTexter(unknown);
  return [...new Set(from.texterIds)];
}

export interface ResolvedTargets {
  readonly targets: readonly Texter[];
  /** The named targets that were paused or removed after the operation was accepted. */
  readonly leftOut: readonly string[];
}

/**
 * Returns the active texters that conversations are dealt to. A request for one conversation has no `from`. A named target
 * that cannot receive refuses the request. After the operation was accepted, such a target is left out instead, as long as
 * another one can receive.
 */
export function resolveTargets(
  { from, to }: { readonly from?: Sources; readonly to: Targets },
  texters: readonly Texter[],
  isAccepted: boolean,
): ResolvedTargets {
  if (to === 'everyone') return { targets: activeTextersBut(from ?? 'pool', texters), leftOut: [] };
  const texterIds = namedTargets(to);
  if (texterIds.length === 0) {
    throw new Refusal('no-targets', {
      message: 'a reassign needs at least one texter as its target',
      expected: 'at least one texter to deal to',
      received: 'an empty list',
    });
  }
  const isNamed = new Set(texterIds);
  const active = texters.filter((texter) => texter.active && isNamed.has(texter.texterId));
  if (isAccepted && active.length > 0) {
    if (from) refuseSameSourceAndTarget(from, to, active);
    const isActive = new Set(active.map(({ texterId }) => texterId));
    const leftOut = texterIds.filter((id) => !isActive.has(id));
    return { targets: active, leftOut };
  }
  const named = knownTexters(texterIds, texters);
  refusePaused(named);
  if (from) refuseSameSourceAndTarget(from, to, named);
  return { targets: named, leftOut: [] };
}

function namedTargets(to: Exclude<Targets, 'everyone'>): string[] {
  return [...new Set(hasCounts(to) ? Object.keys(to.counts) : to.texterIds)];
}

/** Dealing texters' conversations to everyone leaves these texters out. */
function activeTextersBut(from: Sources, texters: readonly Texter[]): Texter[] {
  const leftOut = new Set(typeof from === 'string' ? [] : from.texterIds);
  const targets = texters.filter((texter) => texter.active && !leftOut.has(texter.texterId));
  if (targets.length > 0) return targets;
  throw new Refusal('no-targets', {
    message: `the campaign has no ${leftOut.size > 0 ? 'other active texter' : 'active texter'} to give conversations to`,
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

/** Several targets keep a share of their own conversations. With a number for each, no target can be a source too. */
function refuseSameSourceAndTarget(from: Sources, to: Targets, targets: readonly Texter[]): void {
  if (typeof from === 'string') return;
  const sources = new Set(from.texterIds);
  const same = targets.find(({ texterId }) => sources.has(texterId));
  const isOnly = sources.size === 1 && targets.length === 1;
  if (!same || !(isOnly || hasCounts(to))) return;
  throw new Refusal('same-source-and-target', {
    message: isOnly
      ? `${same.texterId} is both the only source and the only target`
      : `${same.texterId} is both a source and a target with a number`,
    expected: 'a target other than the source',
    received: same.texterId,
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
