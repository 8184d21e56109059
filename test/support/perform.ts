import type { OperationCommand } from '../../src/operations/operation.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { accept, runOperation, type SliceResult } from '../../src/operations/lifecycle.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { requestHash } from '../../src/domain/request-hash.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import type { AnyRequest } from './send.ts';

/** More turns than any operation of a test takes. */
const TURNS_MAX = 500;

interface How {
  readonly batchConversationsMax: number;
  readonly batchesInFlightMax: number;
  /** Whether a turn ends with its first batch. */
  readonly short: boolean;
}

const USUAL: How = { batchConversationsMax: 4, batchesInFlightMax: 2, short: true };

const clock = { now: () => new Date() };

function commandOf(input: AnyRequest): OperationCommand {
  const request = parseRequest(input);
  return { request, requestHash: requestHash(request), sendId: 'test' };
}

/** Puts an operation on record, and begins nothing. */
export function record(stores: Stores, input: AnyRequest): Promise<Operation> {
  return accept({ stores, clock }, commandOf(input));
}

/** One turn, of one batch unless told otherwise: the worker's work without its queue. */
export function oneTurn(stores: Stores, input: AnyRequest, how: Partial<How> = {}): Promise<SliceResult> {
  const { short, ...limits } = { ...USUAL, ...how };
  return runOperation({ stores, clock }, commandOf(input), { limits, shouldStop: () => short });
}

/** Turn after turn until it ends; `undefined` when another operation goes first. */
export async function toTheEnd(
  stores: Stores,
  input: AnyRequest,
  how: Partial<How> = {},
): Promise<Operation | undefined> {
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    const { kind, operation } = await oneTurn(stores, input, how);
    if (kind === 'ended') return operation;
    if (kind === 'waiting') return undefined;
  }
  throw new Error(`expected operation ${input.operationId} to end within ${TURNS_MAX} turns, it goes on`);
}
