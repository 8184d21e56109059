import type { RefusalCode } from '../../src/domain/errors.ts';
import type { ClaimDoc } from '../../src/mongo/documents.ts';
import type { Model, ModelClaim } from './model.ts';

/** What a round of claims must come to for one of them. */
export interface ServedClaim {
  readonly claim: ModelClaim;
  /** Of `claim.granted`, what this round gave, oldest first. */
  readonly given: readonly string[];
  readonly state: 'waiting' | 'done' | 'failed';
  readonly refusal: RefusalCode | null;
  readonly shortBecause: 'none-left' | 'batch-max' | 'open-max' | null;
}

/** One that waits, as the ledger has it. */
export function asModelClaim({ _id: claimId, request, granted }: ClaimDoc): ModelClaim {
  const { texterId, count = null } = request;
  return { operationId: claimId, texterId, count, waits: true, granted: granted.map((id) => id.toHexString()) };
}

/** What Baton promises of claims, written a second time: those that wait first, each as the rules allow. Makes it so. */
export function serveClaims(model: Model, fresh: readonly ModelClaim[]): ServedClaim[] {
  const served = [
    ...model.waiting.map((claim) => serve(model, claim, 'waiting')),
    ...fresh.map((claim) => serve(model, claim, 'failed')),
  ];
  model.waiting = served.filter(({ state }) => state === 'waiting').map(({ claim }) => claim);
  for (const { claim, state } of served) if (state !== 'waiting') remember(model, claim);
  return served;
}

/** Undone, it goes back in batches of the usual size. */
export function remember(model: Model, { operationId: claimId, texterId, granted }: ModelClaim): void {
  const moves = granted.map((id) => ({ id, from: null, to: texterId, status: 'not-started' as const }));
  model.past.set(claimId, model.inBatches(moves));
}

function serve(model: Model, claim: ModelClaim, refused: 'waiting' | 'failed'): ServedClaim {
  const refusal = refusalOf(model, claim);
  if (refusal) return { claim, given: [], state: refused, refusal, shortBecause: null };
  const atOnce = Math.max(0, model.rules.batchMax - claim.granted.length);
  const open = model.rules.openMax - held(model, claim, 'not-started');
  const wanted = claim.count === null ? atOnce : claim.count - claim.granted.length;
  const room = Math.min(wanted, atOnce, open);
  const given = model
    .select([null], 'not-started')
    .filter(({ id, optedOut }) => !optedOut && !claim.granted.includes(id))
    .slice(0, room);
  for (const { id } of given) model.move(claim.operationId, { id, to: claim.texterId });
  const ids = given.map(({ id }) => id);
  const isShort = ids.length < room;
  const rule = wanted === room ? null : atOnce <= open ? 'batch-max' : 'open-max';
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
  if (repliesMax !== null && held(model, claim, 'needs-reply') > repliesMax) return 'replies-first';
  return held(model, claim, 'not-started') >= openMax ? 'open-max-reached' : null;
}

function held(model: Model, { texterId }: ModelClaim, status: 'not-started' | 'needs-reply'): number {
  return model.select([texterId], status).length;
}
