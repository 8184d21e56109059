import type { Assignee } from '../../../src/domain/conversation.ts';
import type { RefusalCode } from '../../../src/domain/errors.ts';
import type { SkipReason } from '../../../src/domain/receipt.ts';
import type { ModelRequest, LockInput } from '../any-request.ts';
import {
  NOTHING,
  ORDER,
  type Expectation,
  type ExpectedMove,
  type Model,
  type ModelConversation,
  type ModelTexter,
} from './model.ts';
import { deal, dealSurplus } from './deal-rules.ts';

type Of<Kind extends ModelRequest['kind']> = ModelRequest & { kind: Kind };

/** Returns the result that an operation must have if it runs on the model now. */
export function expectedResult(model: Model, request: ModelRequest): Expectation {
  switch (request.kind) {
    case 'reassign':
      return expectedReassign(model, request);
    case 'unassign':
      return expectedUnassign(model, request);
    case 'reassign-one':
    case 'unassign-one':
      return expectedSingleMove(model, request);
    case 'undo':
      return expectedUndo(model, request);
  }
}

/** Returns the preview that must be shown now. A preview of an unassign needs no confirmation. */
export function expectedPreview(model: Model, request: LockInput): Expectation {
  if (request.kind !== 'unassign') return expectedResult(model, request);
  const confirm = model.select(sourcesOfUnassign(model, request), request.status).length;
  return expectedResult(model, { ...request, confirm });
}

/** Returns the active texters except the sources for `everyone`, and the named texters otherwise. */
export function targetsOf(model: Model, { from, to }: Of<'reassign'>): ModelTexter[] {
  const named = namedSources(from);
  if (to === 'everyone') return model.texters.filter((each) => each.active && !named.includes(each.texterId));
  return model.texters.filter(({ texterId }) => idsIn(to).includes(texterId));
}

/** The model test sends no request with a number for each target. */
function idsIn(to: Of<'reassign'>['to']): readonly string[] {
  return typeof to === 'object' && 'texterIds' in to ? to.texterIds : [];
}

function expectedReassign(model: Model, request: Of<'reassign'>): Expectation {
  const refusals = refusalsOfReassign(model, request);
  if (refusals.length > 0) return refusedWith(refusals);
  const selected = model.select(sourcesOf(model, request.from), request.status);
  const level = request.spread === 'level';
  const statuses = request.status === 'any' ? ORDER : [request.status];
  const asked = { selected, targets: targetsOf(model, request), level, statuses, count: request.count ?? Infinity };
  return hasTargetsAsSources(model, request) ? dealSurplus(model, asked) : deal(model, asked);
}

/** Returns true when a texter both gives and receives. */
export function hasTargetsAsSources(model: Model, request: Of<'reassign'>): boolean {
  const sources = sourcesOf(model, request.from);
  return targetsOf(model, request).some(({ texterId }) => sources.includes(texterId));
}

function refusalsOfReassign(model: Model, request: Of<'reassign'>): RefusalCode[] {
  const { from, to } = request;
  const named = namedSources(from);
  const refusals = refusalsOfTargets(model, idsIn(to));
  if (model.closed) refusals.push('campaign-closed');
  if (targetsOf(model, request).length === 0) refusals.push('no-targets');
  if (named.some((id) => !model.texter(id))) refusals.push('unknown-texter');
  if (to !== 'everyone' && isSameTexter(named, idsIn(to))) refusals.push('same-source-and-target');
  return refusals;
}

function refusalsOfTargets(model: Model, texterIds: readonly string[]): RefusalCode[] {
  return texterIds.flatMap((id) => {
    const texter = model.texter(id);
    return texter ? (texter.active ? [] : ['target-inactive' as const]) : ['unknown-texter' as const];
  });
}

function expectedUnassign(model: Model, request: Of<'unassign'>): Expectation {
  const { status, count, confirm } = request;
  const assignees = sourcesOfUnassign(model, request);
  if (assignees.some((id) => !model.texter(id))) return refusedWith(['unknown-texter']);
  const found = model.select(assignees, status);
  if (count === undefined || (count > found.length && found.length > 0)) {
    if (confirm === undefined) return refusedWith(['confirmation-needed']);
    if (found.length > confirm) return refusedWith(['confirmation-drifted']);
  }
  const unassigned = found.slice(0, Math.min(count ?? found.length, confirm ?? found.length));
  return {
    ...NOTHING,
    batches: model.inBatches(unassigned.map(({ id }) => id)),
    moves: unassigned.map(({ id, assigneeId, status: was }) => ({ id, from: assigneeId, to: null, status: was })),
  };
}

function expectedSingleMove(model: Model, request: Of<'reassign-one' | 'unassign-one'>): Expectation {
  const found = model.conversations.get(request.conversationId);
  const to = request.kind === 'reassign-one' ? request.to.texterIds[0] : null;
  const refusals = to === null ? [] : refusalsOfTargets(model, [to]);
  if (model.closed && to !== null) refusals.push('campaign-closed');
  if (!found) refusals.push('unknown-conversation');
  if (!found || refusals.length > 0) return refusedWith(refusals);
  const batches = [[found.id]];
  const skip = (reason: SkipReason): Expectation => ({ ...NOTHING, batches, skips: new Map([[found.id, reason]]) });
  const { expectedAssigneeId } = request;
  if (expectedAssigneeId !== undefined && expectedAssigneeId !== found.assigneeId) return skip('assignee-changed');
  if (found.optedOut && to !== null) return skip('opted-out');
  if (found.assigneeId === to) return skip('already-there');
  return { ...NOTHING, batches, moves: [{ id: found.id, from: found.assigneeId, to, status: found.status }] };
}

/**
 * Reverses the moves after which nothing else moved the conversation and nobody worked on it, if its earlier assignee may
 * have it.
 */
function expectedUndo(model: Model, { undoes, includeWorkedOn = false }: Of<'undo'>): Expectation {
  if (model.waiting.some(({ operationId }) => operationId === undoes)) return refusedWith(['operation-running']);
  const past = model.past.get(undoes);
  if (!past) return refusedWith(['unknown-operation']);
  if (model.closed && past.flat().some(({ from }) => from !== null)) return refusedWith(['campaign-closed']);
  const moves: ExpectedMove[] = [];
  const skips = new Map<string, SkipReason>();
  for (const { id, from, to } of past.flat()) {
    const conversation = model.conversation(id);
    const { lastOperationId, optedOut, status, version, asLastMoved } = conversation;
    if (lastOperationId !== undoes || asLastMoved?.version !== version) skips.set(id, 'assignee-changed');
    else if (from !== null && optedOut) skips.set(id, 'opted-out');
    else if (from !== null && !model.texter(from)?.active) skips.set(id, 'target-inactive');
    else if (!includeWorkedOn && isWorkedOn(conversation)) skips.set(id, 'worked-on');
    else moves.push({ id, from: to, to: from, status });
  }
  return { ...NOTHING, batches: past.map((batch) => batch.map(({ id }) => id)), moves, skips };
}

function isWorkedOn({ status, lastInboundAt, lastOutboundAt, asLastMoved }: ModelConversation): boolean {
  if (status !== asLastMoved?.status) return true;
  return lastInboundAt !== asLastMoved.lastInboundAt || lastOutboundAt !== asLastMoved.lastOutboundAt;
}

function sourcesOf(model: Model, from: Of<'reassign'>['from']): Assignee[] {
  if (from === 'pool') return [null];
  if (from === 'everyone') return [null, ...model.texters.map(({ texterId }) => texterId)];
  return [...from.texterIds];
}

function sourcesOfUnassign(model: Model, { from }: Of<'unassign'>): string[] {
  return from === 'everyone' ? model.texters.map(({ texterId }) => texterId) : [...from.texterIds];
}

function namedSources(from: Of<'reassign'>['from']): readonly string[] {
  return typeof from === 'string' ? [] : from.texterIds;
}

function isSameTexter(sources: readonly string[], targets: readonly string[]): boolean {
  return new Set(sources).size === 1 && new Set([...sources, ...targets]).size === 1 && targets.length > 0;
}

function refusedWith(refusals: readonly RefusalCode[]): Expectation {
  return { ...NOTHING, refusals };
}
