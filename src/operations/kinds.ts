import { CLAIMED_STATUS } from '../domain/conversation.ts';
import { hasCounts, sumOf, type OperationRequest, type RequestKind, type RequestOf } from './contract.ts';
import type { Plan } from './operation.ts';
import { checkConfirmation } from './confirmation.ts';
import type { Stores } from './ports.ts';
import {
  refuseReassign,
  refuseTargets,
  refuseUnassign,
  resolveReassign,
  resolveUnassign,
  resolveUndo,
} from './resolve-plan.ts';
import type { BatchSource } from './batch-source.ts';
import type { StoredBatch } from './batch.ts';
import type { ListedResult } from '../domain/receipt.ts';
import { listResults, selectListed } from './list.ts';
import { resolveReassignList, resolveReassignOne, resolveUnassignList, resolveUnassignOne } from './resolve-named.ts';
import { selectCounted, selectMany, selectOne } from './select.ts';
import { undoBatches } from './undo.ts';

/** Everything that differs between kinds of operations. */
interface Kind<Request extends OperationRequest> {
  /** Bulk operations of a campaign run one at a time, in the order accepted. */
  readonly needsCampaignLock: boolean;
  /**
   * Resolves sources, targets and limit on the campaign as it is now. Throws a `Refusal`. Writes nothing. With `isAccepted`, a
   * target that was paused after acceptance is left out, and the others go on.
   */
  resolvePlan(stores: Stores, request: Request, isAccepted: boolean): Promise<Plan>;
  /**
   * Throws the `Refusal` that `resolvePlan` would throw for an accepted request, without counting conversations. Absent where
   * `resolvePlan` counts none.
   */
  refuseNow?(stores: Stores, request: Request): Promise<unknown>;
  /** Throws a `Refusal` that holds even if it would not hold any more when the operation starts. */
  refuseAtAcceptance?(stores: Stores, request: Request): Promise<void>;
  /** Plans the batches. The returned plan also has the guard of their writes. */
  batchSource(stores: Stores, request: Request, plan: Plan): BatchSource;
  /**
   * For a preview: plans the same numbers of moves from the counts of the stores' moment, without reading conversations.
   * Returns `undefined` when the order of the conversations decides the numbers.
   */
  countedSource?(stores: Stores, request: Request, plan: Plan): Promise<BatchSource | undefined>;
  /** The count that the request asks for; `null` for all. */
  requestedCount(request: Request): number | null;
  /** Returns true when the operation ends the waiting claims of the texters that it takes from. */
  endsClaims?(request: Request): boolean;
  /** Returns what became of each conversation that the request lists. */
  resultsOf?(request: Request, batches: readonly StoredBatch[]): ListedResult[];
  /** Called at the start of each slice. Throws a `Refusal` when a confirmation is missing or too low. */
  checkConfirmation?(stores: Stores, request: Request, plan: Plan): Promise<void>;
}

const noCount = (): null => null;

/**
 * To add a kind of operation: add its schema to `contract.ts`, its name to `OPERATION_KINDS` in `domain/operation.ts`, a row
 * to this table, and a method to the producer. No other file of this folder decides anything by the kind.
 */
const KINDS: { readonly [Name in RequestKind]: Kind<RequestOf<Name>> } = {
  reassign: {
    needsCampaignLock: true,
    resolvePlan: resolveReassign,
    refuseNow: refuseReassign,
    refuseAtAcceptance: refuseTargets,
    batchSource: selectMany,
    countedSource: selectCounted,
    requestedCount: ({ count, to }) => count ?? (hasCounts(to) ? sumOf(to.counts) : null),
  },
  unassign: {
    needsCampaignLock: true,
    resolvePlan: resolveUnassign,
    refuseNow: refuseUnassign,
    batchSource: selectMany,
    countedSource: selectCounted,
    requestedCount: ({ count }) => count ?? null,
    // Otherwise the conversations would come straight back to a texter whose claim waits.
    endsClaims: ({ count, confirm, status }) =>
      (count === undefined || (confirm !== undefined && count > confirm)) &&
      (status === 'any' || status === CLAIMED_STATUS),
    checkConfirmation,
  },
  'reassign-one': {
    needsCampaignLock: false,
    resolvePlan: resolveReassignOne,
    batchSource: selectOne,
    requestedCount: noCount,
  },
  'unassign-one': {
    needsCampaignLock: false,
    resolvePlan: resolveUnassignOne,
    batchSource: selectOne,
    requestedCount: noCount,
  },
  'reassign-list': {
    needsCampaignLock: true,
    resolvePlan: resolveReassignList,
    batchSource: selectListed,
    requestedCount: noCount,
    resultsOf: listResults,
  },
  'unassign-list': {
    needsCampaignLock: true,
    resolvePlan: resolveUnassignList,
    batchSource: selectListed,
    requestedCount: noCount,
    resultsOf: listResults,
  },
  undo: {
    needsCampaignLock: true,
    resolvePlan: resolveUndo,
    batchSource: undoBatches,
    requestedCount: noCount,
  },
};

export function kindOf(request: OperationRequest): Kind<OperationRequest> {
  return KINDS[request.kind];
}

export function needsCampaignLock(request: OperationRequest): boolean {
  return kindOf(request).needsCampaignLock;
}

/** Returns true for an operation that asks for all: then its receipt counts the conversations that are left. */
export function isCounted(request: OperationRequest): boolean {
  return kindOf(request).requestedCount(request) === null;
}

/** See {@link Kind.resolvePlan}. */
export function resolvePlan(stores: Stores, request: OperationRequest, isAccepted = false): Promise<Plan> {
  return kindOf(request).resolvePlan(stores, request, isAccepted);
}

/** Throws the `Refusal` that an accepted request would meet now. See {@link Kind.refuseNow}. */
export async function refuseNow(stores: Stores, request: OperationRequest): Promise<void> {
  const kind = kindOf(request);
  await (kind.refuseNow?.(stores, request) ?? kind.resolvePlan(stores, request, true));
}
