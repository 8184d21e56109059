import { Refusal } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';
import { parseRequest, type OperationRequest } from '../operations/contract.ts';
import type { Sent, SentOfMany, Producer } from './producer-port.ts';
import type { OperationInput } from '../domain/inputs.ts';

/** Checks a list of requests. Throws a `bad-request` refusal that names the place of the first wrong one. */
export function parseAll(inputs: unknown): readonly OperationRequest[] {
  if (!Array.isArray(inputs)) {
    const expected = 'the argument of sendAll must be a list of requests';
    throw new Refusal('bad-request', { message: expected, expected, received: shownId(inputs) });
  }
  return inputs.map((input: unknown, index) => {
    try {
      return parseRequest(input);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, message, expected, received } = error;
      throw new Refusal(code, { message: `requests[${index}]: ${message}`, expected, received });
    }
  });
}

/** Sends requests in their order, and returns what became of each. */
export function sendMany(
  requests: readonly OperationRequest[],
  send: (request: OperationRequest) => Promise<Sent>,
): Promise<readonly SentOfMany[]> {
  return Promise.all(requests.map((request) => outcomeOf(request, send)));
}

async function outcomeOf(
  request: OperationRequest,
  send: (request: OperationRequest) => Promise<Sent>,
): Promise<SentOfMany> {
  try {
    return { operationId: request.operationId, sent: await send(request) };
  } catch (error) {
    return { operationId: request.operationId, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** Sends a request with the method of its kind. */
export async function sendRequest(producer: Producer, request: OperationInput): Promise<Sent> {
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
