import type { RequestInput, RequestKind } from '../../src/operations/contract.ts';

type Of<Kind extends RequestKind> = { kind: Kind } & RequestInput<Kind>;

/** A request of any kind, as a caller of the producer writes it. */
export type AnyRequest = ModelRequest | Of<'reassign-list'> | Of<'unassign-list'>;
/** The requests that the model test sends. */
export type ModelRequest = Of<'reassign'> | Of<'unassign'> | Of<'reassign-one'> | Of<'unassign-one'> | Of<'undo'>;
export type BulkInput = Of<'reassign'> | Of<'unassign'>;
/** Operations that need the campaign lock. */
export type LockInput = BulkInput | Of<'undo'>;

export function isLockInput(request: AnyRequest): request is LockInput {
  return request.kind === 'reassign' || request.kind === 'unassign' || request.kind === 'undo';
}

/** Resolves with the result, or with the code of the error if the result is an error. */
export function resultOrCode(result: Promise<unknown>): Promise<unknown> {
  return result.catch((error: unknown) => (error instanceof Error && 'code' in error ? error.code : error));
}
