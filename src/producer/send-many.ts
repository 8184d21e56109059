import { QueueUnavailable, Refusal } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';
import { parseRequest, type OperationRequest } from '../operations/contract.ts';
import type { Sent, SentOfMany, Producer } from './producer-port.ts';
import type { OperationInput } from '../domain/inputs.ts';

/** More requests at a time would only wait in the connection, and use up their time limit there. */
const AT_A_TIME_MAX = 200;

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

/**
 * Sends requests in their order, and returns what became of each. When Redis is away, the remaining requests fail with the
 * same error, because each of them would wait for the whole time limit.
 */
export async function sendMany(
  requests: readonly OperationRequest[],
  send: (request: OperationRequest) => Promise<Sent>,
): Promise<readonly SentOfMany[]> {
  const ended: SentOfMany[] = [];
  let away: QueueUnavailable | undefined;
  for (let from = 0; from < requests.length; from += AT_A_TIME_MAX) {
    const some = requests.slice(from, from + AT_A_TIME_MAX);
    const sent = away ? some.map(failed(away)) : await Promise.all(some.map((request) => outcomeOf(request, send)));
    ended.push(...sent);
    away ??= sent.map(({ error }) => error).find((error) => error instanceof QueueUnavailable);
  }
  return ended;
}

async function outcomeOf(
  request: OperationRequest,
  send: (request: OperationRequest) => Promise<Sent>,
): Promise<SentOfMany> {
  try {
    return { operationId: request.operationId, sent: await send(request) };
  } catch (error) {
    return failed(error instanceof Error ? error : new Error(String(error)))(request);
  }
}

function failed(error: Error): (request: OperationRequest) => SentOfMany {
  return ({ operationId }) => ({ operationId, error });
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
