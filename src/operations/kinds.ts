import { CLAIMED_STATUS } from '../domain/conversation.ts';
import type { OperationRequest, RequestKind, RequestOf } from './contract.ts';
import type { Plan } from './operation.ts';
import type { Stores } from './ports.ts';
import {
  checkConfirmation,
  resolveReassign,
  resolveReassignOne,
  resolveUnassign,
  resolveUnassignOne,
  resolveUndo,
} from './resolve-plan.ts';
import type { BatchSource } from './batch-source.ts';
import { selectMany, selectOne } from './select.ts';
import { undoBatches } from './undo.ts';

/** Everything that differs between kinds of operations. */
interface Kind<Request extends OperationRequest> {
  /** Bulk operations of a campaign run one at a time, in the order accepted. */
  readonly needsCampaignLock: boolean;
  /** Resolves sources, targets and limit on the campaign as it is now. Throws a `Refusal`. Writes nothing. */
  resolvePlan(stores: Stores, request: Request): Promise<Plan>;
  /** Plans the batches. The returned plan also has the guard of their writes. */
  batchSource(stores: Stores, request: Request, plan: Plan): BatchSource;
  /** The count that the request asks for; `null` for all. */
  requestedCount(request: Request): number | null;
  /** Returns true when the operation ends the waiting claims of the texters that it takes from. */
  endsClaims?(request: Request): boolean;
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
    batchSource: selectMany,
    requestedCount: ({ count }) => count ?? null,
  },
  unassign: {
    needsCampaignLock: true,
    resolvePlan: resolveUnassign,
    batchSource: selectMany,
    requestedCount: ({ count }) => count ?? null,
    // Otherwise the conversations would come straight back to a texter whose claim waits.
    endsClaims: ({ count, status }) => count === undefined && (status === 'any' || status === CLAIMED_STATUS),
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

/** See {@link Kind.resolvePlan}. */
export function resolvePlan(stores: Stores, request: OperationRequest): Promise<Plan> {
  return kindOf(request).resolvePlan(stores, request);
}
