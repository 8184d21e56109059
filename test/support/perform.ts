import type { Stores } from '../../src/app/ports.ts';
import { perform, type Performed } from '../../src/app/perform.ts';
import type { Operation } from '../../src/domain/operation.ts';
import { requestHash } from '../../src/queue/contract.ts';
import { parseRequest } from '../../src/queue/requests.ts';
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

/** One turn, of one batch unless told otherwise: the worker's work without its queue. */
export function oneTurn(stores: Stores, input: AnyRequest, how: Partial<How> = {}): Promise<Performed> {
  const request = parseRequest(input);
  const command = { request, requestHash: requestHash(request), sentBy: 'test' };
  const { short, ...limits } = { ...USUAL, ...how };
  const controls = { limits, shouldStop: () => short };
  return perform({ stores, clock: { now: () => new Date() } }, command, controls);
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
