import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { toOutsideText } from '../domain/id-rules.ts';
import { idText, loggedError } from '../domain/safe-text.ts';
import type { Logger } from '../telemetry/index.ts';
import { HttpProblem, PROBLEM_TYPE, type ProblemDocument, type WrongValue } from './problem.ts';
import { MALFORMED, problemOf, type FoundProblem } from './problem-of-error.ts';
import { addCommonHeaders, removeHeadersOfSuccess } from './response-headers.ts';
import { mayBeSlow } from './streams/bodies.ts';
import { InvalidRequest } from './validation.ts';

/** Answers every error with a problem document, and logs the cause of those that are bugs. */
export function newErrorHandler(logger: Logger) {
  return async (error: FastifyError, request: FastifyRequest, reply: FastifyReply): Promise<ProblemDocument> => {
    const problem = error instanceof InvalidRequest ? invalid(error) : problemOf(error);
    if (problem.isUnexpected) logger.error({ requestId: request.id, err: loggedError(error) }, 'a request failed');
    removeHeadersOfSuccess(reply);
    void reply.status(problem.status).headers(problem.headers ?? {});
    return sendProblem(reply, toDocument(problem, request.id, (request.caller ?? request.texter)?.organisationId));
  };
}

/** Answers a request whose path no route can read. No hook runs for such a request. */
export function newPathErrorHandler(logger: Logger) {
  const answer = newErrorHandler(logger);
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    addCommonHeaders(request, reply);
    void answer(error, request, reply);
    const { id: requestId, method } = request;
    logger.info({ requestId, method, route: null, status: reply.statusCode }, 'request');
  };
}

/** A problem is serialized here, because an error of a route can have a status that the route does not declare. */
export function sendProblem(reply: FastifyReply, document: ProblemDocument): never {
  return reply.serializer(JSON.stringify).type(PROBLEM_TYPE).send(document) as never;
}

export function toDocument(problem: FoundProblem, requestId: string, organisationId?: string): ProblemDocument {
  const { code, status, message, expected, received, errors } = problem;
  const outside = (text: string): string => (organisationId === undefined ? text : toOutsideText(organisationId, text));
  return {
    type: `urn:baton:problem:${code}`,
    title: code.replaceAll('-', ' '),
    status,
    detail: outside(message),
    instance: `urn:baton:request:${requestId}`,
    code,
    expected: outside(expected),
    received: outside(received),
    ...(errors && { errors: [...errors] }),
    requestId,
  };
}

/** A wrong cursor has its own code, so that a client can begin again. Another release may have written the cursor. */
const CURSOR_POINTER = '#/query/after';

function refusedCursor(errors: readonly WrongValue[]): FoundProblem {
  return problemOf(
    new HttpProblem('cursor-refused', {
      message: 'the "after" of the request is not the "next" of a page; begin from the first page, without "after"',
      expected: 'the "next" of the page before, or no "after" for the first page',
      received: 'another text',
      errors,
    }),
  );
}

function invalid({ errors }: InvalidRequest): FoundProblem {
  if (errors.length > 0 && errors.every(({ pointer }) => pointer === CURSOR_POINTER)) return refusedCursor(errors);
  const [first] = errors;
  const expected = first ? `${shownPointer(first.pointer)} ${first.detail}` : 'a valid request';
  const more = errors.length > 1 ? ` and ${errors.length - 1} more` : '';
  const details = { message: `the request is not valid: ${expected}${more}`, expected, received: 'another value' };
  return { code: 'bad-request', status: 400, ...details, errors };
}

/** The keys of a map can be names or phone numbers. Only `errors` has them, for the program that sent them. */
function shownPointer(pointer: string): string {
  const [root, ...keys] = pointer.split('/');
  return [root, ...keys.map((key) => idText(key.replaceAll('~1', '/').replaceAll('~0', '~')))].join('/');
}

/** Answers a request that never became one. The connection is closed, because its rest cannot be read. */
export function answerClientError(this: unknown, error: Error & { code: string }, socket: Socket): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && mayBeSlow(socket)) return;
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const problem = OF_PARSER[error.code] ?? MALFORMED;
  const requestId = randomUUID();
  const body = JSON.stringify(toDocument(problem, requestId));
  const reason = STATUS_CODES[problem.status] ?? '';
  const head = [
    `HTTP/1.1 ${problem.status} ${reason}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    `X-Request-Id: ${requestId}`,
    'Cache-Control: no-store',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

export const HEADER_BYTES_MAX = 16 * 1024;
export const REQUEST_MS_MAX = 30_000;

/** The problems that the parser of Node finds, by its own codes. */
const OF_PARSER: Readonly<Record<string, FoundProblem>> = {
  HPE_HEADER_OVERFLOW: problemOf(
    new HttpProblem('headers-too-large', {
      message: 'the headers are too large',
      expected: `at most ${HEADER_BYTES_MAX / 1024} KiB of headers`,
      received: 'more',
    }),
  ),
  ERR_HTTP_REQUEST_TIMEOUT: problemOf(
    new HttpProblem('request-too-slow', {
      message: 'the request did not arrive in time',
      expected: `a whole request within ${REQUEST_MS_MAX / 1000} seconds`,
      received: 'a part of a request',
    }),
  ),
};
