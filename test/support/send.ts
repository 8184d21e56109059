import type { Producer, Sent } from '../../src/producer/producer-port.ts';
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

/** Sends a request with the producer's method for its kind. */
export function send(producer: Producer, request: AnyRequest): Promise<Sent> {
  switch (request.kind) {
    case 'reassign':
      return producer.reassign(request);
    case 'unassign':
      return producer.unassign(request);
    case 'reassign-one':
      return producer.reassignOne(request);
    case 'unassign-one':
      return producer.unassignOne(request);
    case 'reassign-list':
      return producer.reassignList(request);
    case 'unassign-list':
      return producer.unassignList(request);
    case 'undo':
      return producer.undo(request);
  }
}

/** Resolves with the result, or with the code of the error if the result is an error. */
export function resultOrCode(result: Promise<unknown>): Promise<unknown> {
  return result.catch((error: unknown) => (error instanceof Error && 'code' in error ? error.code : error));
}
