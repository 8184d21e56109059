import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ClaimRequest } from '../claims/index.ts';
import { operationConflict, RESENDABLE_CODES } from '../domain/errors.ts';
import { isEnded } from '../domain/operation.ts';
import { toStoredId } from '../domain/id-rules.ts';
import { requestHash } from '../domain/requests.ts';
import { parseRequest, refuseUnconfirmed, type AnyOperation, type OperationRequest } from '../operations/index.ts';
import { sendRequest, type Sent, type SentClaim } from '../producer/index.ts';
import type { SentOperation } from '../reconcile/index.ts';
import { findEarlier, findOperation, required, type Earlier } from './access.ts';
import { organisationIdOf } from './authenticate.ts';
import { answer } from './document.ts';
import type { OperationBody } from './operation-shapes.ts';
import { toOwnOperation } from './own-operation.ts';
import { operationView, sentView } from './operation-view.ts';
import type { HeaderName } from './response-headers.ts';
import type { HttpServices } from './services.ts';
import { readWaitMs, waitForEnd } from './waiting.ts';

/** The fields of a request without the ids, as the body has them. */
export interface OperationFields {
  readonly kind: string;
  readonly undoes?: string;
}

/** Sends an operation through the producer and answers with it. */
export async function sendOperation(
  services: HttpServices,
  request: FastifyRequest,
  reply: FastifyReply,
  fields: OperationFields,
): Promise<never> {
  const operation = parseRequest(storedRequest(request, fields));
  return sendUnderKey(services, request, reply, {
    command: operation,
    check: () => refuseUnconfirmed(services.context.stores, operation),
    send: () => sendRequest(services.producer, operation),
  });
}

/** The body of a request may arrive slowly. What was read before it is old then, and is read again. */
const EARLIER_MS_MAX = 1_000;

function earlierOf(services: HttpServices, { earlier }: FastifyRequest, operationId: string): Promise<Earlier> {
  const isNew = earlier !== null && performance.now() - earlier.begunAt < EARLIER_MS_MAX;
  return isNew ? earlier.found : findEarlier(services, operationId);
}

/** An operation or claim, and how it is sent. */
interface Sending {
  readonly command: OperationRequest | ClaimRequest;
  /** Refuses a request that is sent for the first time. */
  readonly check?: () => Promise<void>;
  readonly send: () => Promise<Pick<Sent | SentClaim, 'result'>>;
}

/**
 * The Idempotency-Key is the operation id: the same request again answers with the operation as it stands, and another
 * request with the same key is refused.
 */
export async function sendUnderKey(
  services: HttpServices,
  request: FastifyRequest,
  reply: FastifyReply,
  { command, check, send }: Sending,
): Promise<never> {
  const existing = requireSame(command, await earlierOf(services, request, command.operationId));
  const isSentAnew = !existing || mayBeSentAgain(existing);
  const waitMs = readWaitMs(request, reply);
  if (isSentAnew) {
    await check?.();
  } else {
    void reply.header('idempotent-replayed', 'true');
    if (isEnded(existing.state)) return answerWith(reply, operationView(existing));
  }
  // A repeated request for an operation that runs joins it: it makes a lost job run, and can wait for the end.
  const sent = await send();
  const hasEnded = await waitForEnd(waitMs, services.stopping.signal, (wait) => sent.result(wait));
  const found = existing || waitMs > 0 ? await readOperation(services, command.operationId) : undefined;
  // Until a worker accepts an operation that was sent again, the database has its refusal.
  const isRefusedBefore = isSentAnew && !hasEnded && isAcceptedAt(found, existing?.acceptedAt);
  return answerWith(reply, found && !isRefusedBefore ? found : sentView(command));
}

/** Returns the accepted operation or claim with the key of a request. Throws when the key belongs to another request. */
function requireSame(command: OperationRequest | ClaimRequest, { accepted, sent }: Earlier): AnyOperation | undefined {
  // A request that was refused before it was accepted does not keep its key.
  const kept = sent && sent.state !== 'refused' ? requestHash(sent.request) : undefined;
  const keptHash = accepted?.requestHash ?? kept;
  if (keptHash !== undefined && keptHash !== requestHash(command)) throw operationConflict(command.operationId);
  return accepted;
}

function isAcceptedAt(found: OperationBody | undefined, at: Date | undefined): boolean {
  return at !== undefined && found?.acceptedAt?.getTime() === at.getTime();
}

/** Reads an operation as it stands. */
export async function readOperation(services: HttpServices, operationId: string): Promise<OperationBody | undefined> {
  const found = await findOperation(services, operationId);
  return found && viewWithPlace(services, found);
}

/** Shows an operation, and how many run before it if it waits. */
export async function viewWithPlace(
  { context }: Pick<HttpServices, 'context'>,
  operation: AnyOperation | SentOperation,
): Promise<OperationBody> {
  if (!('acceptedAt' in operation)) return operationView(operation);
  const [placed = operation] = await context.operationViews.withPlaces(operation.campaignId, [operation]);
  return operationView(placed);
}

/** What {@link answerWith} answers, for the schema of a route. `headers`: those that the route sends besides. */
export function operationAnswers<Schema extends z.ZodType>(shown: Schema, ...headers: readonly HeaderName[]) {
  return {
    200: answer('The operation or claim has ended.', shown, 'Location', ...headers),
    202: answer('The operation or claim continues.', shown, 'Location', 'Retry-After', ...headers),
  };
}

/** The headers of a route that sends something under an Idempotency-Key. */
export const HEADERS_OF_SENDING = ['Idempotent-Replayed', 'Preference-Applied'] as const;

/** 200 for an operation that has ended, else 202. Both say where it can be read. A texter sees less of it. */
export function answerWith(reply: FastifyReply, operation: OperationBody): never {
  const { operationId, campaignId, state } = operation;
  const [campaign, id] = [campaignId, operationId].map(encodeURIComponent);
  const isForTexter = reply.request.texter !== null;
  const shown = isForTexter ? toOwnOperation(operation) : operation;
  void reply.header('location', `${isForTexter ? '/v1/me' : `/v1/campaigns/${campaign}`}/operations/${id}`);
  if (state !== 'sent' && isEnded(state)) return reply.status(200).send(shown) as never;
  return reply.status(202).header('retry-after', '1').send(shown) as never;
}

function storedRequest(request: FastifyRequest, fields: OperationFields): object {
  const organisationId = organisationIdOf(request);
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
  return toStoredId(organisationIdOf(request), String(request.headers['idempotency-key']));
}

/** A refusal that asks for another confirmation, or for another moment, leaves the id to the next request. */
function mayBeSentAgain({ state, error }: AnyOperation): boolean {
  return state === 'failed' && RESENDABLE_CODES.some((code) => code === error?.code);
}
