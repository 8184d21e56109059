import type { FastifyReply, FastifyRequest } from 'fastify';
import { operationConflict, RESENDABLE_CODES } from '../domain/errors.ts';
import { isEnded } from '../domain/operation.ts';
import { toStoredId } from '../domain/organisations.ts';
import { requestHash } from '../domain/requests.ts';
import { parseRequest, refuseUnconfirmed, type AnyOperation } from '../operations/index.ts';
import { sendRequest } from '../producer/index.ts';
import { findSentIn } from '../reconcile/index.ts';
import { required } from './access.ts';
import { callerOf } from './actor.ts';
import type { OperationBody } from './operation-shapes.ts';
import { operationView, sentView } from './operation-view.ts';
import type { HttpServices } from './services.ts';
import { readWaitMs, waitForEnd } from './waiting.ts';

/** The fields of a request without the ids, as the body has them. */
export interface OperationFields {
  readonly kind: string;
  readonly undoes?: string;
}

/**
 * Sends an operation through the producer and answers with it. The Idempotency-Key is the operation id: the same request again
 * answers with the operation as it stands, and another request with the same key is refused.
 */
export async function sendOperation(
  services: HttpServices,
  request: FastifyRequest,
  reply: FastifyReply,
  fields: OperationFields,
): Promise<OperationBody> {
  const { context, producer, stopping } = services;
  const operation = parseRequest(storedRequest(request, fields));
  const { operationId } = operation;
  const existing = await context.operationViews.findOperation(operationId);
  if (existing && !mayBeSentAgain(existing)) {
    if (existing.requestHash !== requestHash(operation)) throw operationConflict(operationId);
    void reply.header('idempotent-replayed', 'true');
    if (isEnded(existing.state)) return answerWith(reply, operationView(existing));
  } else {
    await refuseUnconfirmed(context.stores, operation);
  }
  const waitMs = readWaitMs(request, reply);
  // A repeated request for an operation that runs joins it: it makes a lost job run, and can wait for the end.
  const sent = await sendRequest(producer, operation);
  await waitForEnd(waitMs, stopping.signal, (wait) => sent.result(wait));
  const found = existing || waitMs > 0 ? await readOperation(services, operationId) : undefined;
  return answerWith(reply, found ?? sentView(operation));
}

/** Reads an operation from the database, or from the queue when no worker has accepted it. */
export async function readOperation(
  { context, sentQueues }: HttpServices,
  operationId: string,
): Promise<OperationBody | undefined> {
  const accepted = await context.operationViews.findOperation(operationId);
  if (accepted) {
    const [placed = accepted] = await context.operationViews.withPlaces(accepted.campaignId, [accepted]);
    return operationView(placed);
  }
  const sent = await findSentIn(sentQueues, operationId);
  return sent && operationView(sent);
}

/** 200 for an operation that has ended, else 202. Both say where it can be read. */
export function answerWith(reply: FastifyReply, operation: OperationBody): OperationBody {
  const { operationId, campaignId, state } = operation;
  const [campaign, id] = [campaignId, operationId].map(encodeURIComponent);
  void reply.header('location', `/v1/campaigns/${campaign}/operations/${id}`);
  if (state !== 'sent' && isEnded(state)) return reply.status(200).send(operation) as never;
  return reply.status(202).header('retry-after', '1').send(operation) as never;
}

function storedRequest(request: FastifyRequest, fields: OperationFields): object {
  const { organisationId } = callerOf(request);
  const { campaignId } = required(request.resources.campaign);
  return {
    ...fields,
    ...(fields.undoes !== undefined && { undoes: toStoredId(organisationId, fields.undoes) }),
    operationId: operationIdOf(request),
    campaignId,
  };
}

/** The schema of the route has checked the header. */
export function operationIdOf(request: FastifyRequest): string {
  return toStoredId(callerOf(request).organisationId, String(request.headers['idempotency-key']));
}

/** A refusal that asks for another confirmation, or for another moment, leaves the id to the next request. */
function mayBeSentAgain({ state, error }: AnyOperation): boolean {
  return state === 'failed' && RESENDABLE_CODES.some((code) => code === error?.code);
}
