import type { Texter } from '../campaigns/index.ts';
import type { Assignee, StatusChoice } from '../domain/conversation.ts';
import type { Spread } from '../domain/dealing.ts';
import { Refusal, shown } from '../domain/errors.ts';

/** Where conversations come from. `everyone` is all texters of the campaign and the pool. */
export type Sources = 'pool' | 'everyone' | { readonly texterIds: readonly string[] };

/** Who they go to. `everyone` is all active texters of the campaign. */
export type Targets = 'everyone' | { readonly texterIds: readonly string[] };

interface Asked {
  readonly operationId: string;
  readonly campaignId: string;
  /** Who asks, in the upstream app's own terms (an opaque id, never a name). */
  readonly actorId?: string | undefined;
  readonly reason?: string | undefined;
}

export interface ReassignRequest extends Asked {
  readonly kind: 'reassign';
  readonly from: Sources;
  readonly to: Targets;
  readonly status: StatusChoice;
  /** How many to move; without it, all. */
  readonly count?: number | undefined;
  readonly spread: Spread;
}

export interface UnassignRequest extends Asked {
  readonly kind: 'unassign';
  readonly from: Exclude<Sources, 'pool'>;
  readonly status: StatusChoice;
  readonly count?: number | undefined;
  /** The number seen in the preview. Needed to unassign all; a larger real number is refused. */
  readonly confirm?: number | undefined;
}

interface OneAsked extends Asked {
  readonly conversationId: string;
  /** Who the caller believes holds it (`null`: the pool); when somebody else does, it is skipped. */
  readonly expectedAssigneeId?: Assignee | undefined;
}

export interface ReassignOneRequest extends OneAsked {
  readonly kind: 'reassign-one';
  readonly to: { readonly texterIds: readonly [string] };
}

export interface UnassignOneRequest extends OneAsked {
  readonly kind: 'unassign-one';
}

/** Gives back what another operation of the campaign moved and nobody touched since. */
export interface UndoRequest extends Asked {
  readonly kind: 'undo';
  /** The id of the operation, or claim, that is undone. */
  readonly undoes: string;
}

export type BulkRequest = ReassignRequest | UnassignRequest;
export type OneRequest = ReassignOneRequest | UnassignOneRequest;
export type OperationRequest = BulkRequest | OneRequest | UndoRequest;

export function isBulk(request: OperationRequest): request is BulkRequest {
  return request.kind === 'reassign' || request.kind === 'unassign';
}

export function isOne(request: OperationRequest): request is OneRequest {
  return request.kind === 'reassign-one' || request.kind === 'unassign-one';
}

/** What may move many runs alone on its campaign, in the order accepted. */
export function needsCampaignLock(request: OperationRequest): request is BulkRequest | UndoRequest {
  return isBulk(request) || request.kind === 'undo';
}

/** Whose conversations are read, the pool first, then texters as they joined. */
export function resolveSources(from: Sources, texters: readonly Texter[]): Assignee[] {
  if (from === 'pool') return [null];
  if (from === 'everyone') return [null, ...texters.map((texter) => texter.texterId)];
  return knownTexters(from.texterIds, texters).map((texter) => texter.texterId);
}

/** The active texters that conversations are dealt to, in no particular order yet. */
export function resolveTargets(request: ReassignRequest | ReassignOneRequest, texters: readonly Texter[]): Texter[] {
  if (request.to === 'everyone') return everyoneBut('from' in request ? request.from : 'pool', texters);
  if (request.to.texterIds.length === 0) {
    throw new Refusal('no-targets', { expected: 'at least one texter to deal to', received: 'an empty list' });
  }
  const named = knownTexters(request.to.texterIds, texters);
  const paused = named.find((texter) => !texter.active);
  if (paused) {
    throw new Refusal('target-inactive', {
      expected: 'active texters as targets',
      received: `paused ${shown(paused.texterId)}`,
    });
  }
  if (request.kind === 'reassign') refuseSameSourceAndTarget(request.from, named);
  return named;
}

/** Dealing one's own conversations to everyone leaves oneself out. */
function everyoneBut(from: Sources, texters: readonly Texter[]): Texter[] {
  const leftOut = typeof from === 'string' ? [] : from.texterIds;
  const targets = texters.filter((texter) => texter.active && !leftOut.includes(texter.texterId));
  if (targets.length === 0) {
    throw new Refusal('no-targets', { expected: 'at least one other active texter on the campaign', received: 'none' });
  }
  return targets;
}

function refuseSameSourceAndTarget(from: Sources, targets: readonly Texter[]): void {
  if (typeof from === 'string' || targets.length !== 1) return;
  const sources = new Set(from.texterIds);
  const only = targets[0]?.texterId ?? '';
  if (sources.size === 1 && sources.has(only)) {
    throw new Refusal('same-source-and-target', { expected: 'a target other than the source', received: shown(only) });
  }
}

function knownTexters(ids: readonly string[], texters: readonly Texter[]): Texter[] {
  const byId = new Map(texters.map((texter) => [texter.texterId, texter]));
  return [...new Set(ids)].map((id) => {
    const texter = byId.get(id);
    if (!texter) throw new Refusal('unknown-texter', { expected: 'texters of the campaign', received: shown(id) });
    return texter;
  });
}
