import type { RefusalCode } from '../../../src/domain/errors.ts';
import type { ClaimDoc } from '../../../src/mongo/documents.ts';
import type { Model, ModelClaim } from './model.ts';

/** The expected result of one round of claims for one claim. */
export interface ServedClaim {
  readonly claim: ModelClaim;
  /** The part of `claim.granted` that this round granted, oldest first. */
  readonly given: readonly string[];
  readonly state: 'waiting' | 'done' | 'failed';
  readonly refusal: RefusalCode | null;
  readonly shortBecause: 'none-left' | 'batch-max' | 'open-max' | 'replaced' | null;
}

/** Refusals for which a waiting claim ends at once, because waiting longer would not help. */
const ENDS_WAITING: readonly RefusalCode[] = [
  'campaign-closed',
  'unknown-texter',
  'texter-inactive',
  'self-assign-off',
];

export function asModelClaim({ _id: operationId, request, granted }: ClaimDoc): ModelClaim {
  const { texterId, count = null } = request;
  return { operationId, texterId, count, waits: true, granted: granted.map((id) => id.toHexString()) };
}

/** A second implementation of the rules of claims: serves the waiting claims first, and applies the moves to the model. */
export function serveClaims(model: Model, fresh: readonly ModelClaim[]): ServedClaim[] {
  const all = [
    ...model.waiting.map((claim) => serve(model, claim, (code) => (ENDS_WAITING.includes(code) ? 'done' : 'waiting'))),
    ...fresh.map((claim) => serve(model, claim, () => 'failed')),
  ];
  const served = all.map((each, at) => (isReplaced(each, all.slice(at + 1)) ? asReplaced(each) : each));
  model.waiting = served.filter(({ state }) => state === 'waiting').map(({ claim }) => claim);
  for (const { claim, state } of served) if (state !== 'waiting') recordPast(model, claim);
  return served;
}

/** A texter has one waiting claim: the newest. */
function isReplaced({ claim, state }: ServedClaim, later: readonly ServedClaim[]): boolean {
  if (state !== 'waiting') return false;
  return later.some((other) => other.state === 'waiting' && other.claim.texterId === claim.texterId);
}

function asReplaced(each: ServedClaim): ServedClaim {
  return { ...each, state: 'done', refusal: null, shortBecause: 'replaced' };
}

/** Records the moves of a claim, in the batches in which an undo would move them back. */
export function recordPast(model: Model, { operationId, texterId, granted }: ModelClaim): void {
  const moves = granted.map((id) => ({ id, from: null, to: texterId, status: 'not-started' as const }));
  model.past.set(operationId, model.inBatches(moves));
}

function serve(model: Model, claim: ModelClaim, stateOf: (refusal: RefusalCode) => ServedClaim['state']): ServedClaim {
  const refusal = refusalOf(model, claim);
  if (refusal) return { claim, given: [], state: stateOf(refusal), refusal, shortBecause: null };
  const batchLeft = Math.max(0, model.rules.batchMax - claim.granted.length);
  const openLeft = model.rules.openMax - assignedCount(model, claim, 'not-started');
  const wanted = claim.count === null ? batchLeft : claim.count - claim.granted.length;
  const room = Math.min(wanted, batchLeft, openLeft);
  const given = model
    .select([null], 'not-started')
    .filter(({ id, optedOut }) => !optedOut && !claim.granted.includes(id))
    .slice(0, room);
  for (const { id } of given) model.move(claim.operationId, { id, to: claim.texterId });
  const ids = given.map(({ id }) => id);
  const isShort = ids.length < room;
  const rule = wanted === room ? null : batchLeft <= openLeft ? 'batch-max' : 'open-max';
  return {
    claim: { ...claim, granted: [...claim.granted, ...ids] },
    given: ids,
    state: isShort && claim.waits ? 'waiting' : 'done',
    refusal: null,
    shortBecause: isShort ? 'none-left' : rule,
  };
}

function refusalOf(model: Model, claim: ModelClaim): RefusalCode | null {
  const { enabled, repliesMax, openMax } = model.rules;
  if (model.closed) return 'campaign-closed';
  const texter = model.texter(claim.texterId);
  if (!texter) return 'unknown-texter';
  if (!texter.active) return 'texter-inactive';
  if (!enabled) return 'self-assign-off';
  if (repliesMax !== null && assignedCount(model, claim, 'needs-reply') > repliesMax) return 'replies-first';
  return assignedCount(model, claim, 'not-started') >= openMax ? 'open-max-reached' : null;
}

function assignedCount(model: Model, { texterId }: ModelClaim, status: 'not-started' | 'needs-reply'): number {
  return model.select([texterId], status).filter(({ optedOut }) => !optedOut).length;
}
