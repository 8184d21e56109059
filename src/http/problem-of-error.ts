import type { FastifyError } from 'fastify';
import {
  Halted,
  isPermanent,
  JobFailed,
  ProducerClosed,
  QueueUnavailable,
  Refusal,
  type RefusalCode,
} from '../domain/errors.ts';
import { DamagedRecord } from '../mongo/stored-values.ts';
import { safeText } from '../domain/safe-text.ts';
import { isDatabaseAway } from '../mongo/server-errors.ts';
import { isRedisAway } from '../queue/redis-errors.ts';
import { HTTP_CODES, HttpProblem, type HttpCode, type ProblemDetails } from './problem.ts';

/** How long a client waits before it sends a request again while a service is unavailable. */
const RETRY_AFTER_S = 2;

/** An error in the form of a problem document. `isUnexpected`: a bug, whose cause belongs in the log. */
export interface FoundProblem extends ProblemDetails {
  readonly code: string;
  readonly status: number;
  readonly isUnexpected?: true;
}

/** The refusals whose status is not 409: the request is fine, and does not fit the state of what it names. */
const STATUS_OF_REFUSAL: Partial<Record<RefusalCode, number>> = {
  'bad-request': 400,
  'ambiguous-name': 400,
  'bad-config': 503,
  'code-outdated': 503,
  'migration-running': 503,
  'operation-conflict': 422,
  'other-database': 503,
  'queue-full': 503,
  'schema-conflict': 503,
  'schema-outdated': 503,
  'unknown-campaign': 404,
};

const RETRY_LATER = { 'retry-after': String(RETRY_AFTER_S) } as const;

/** Returns the problem that an error means for the client. */
export function problemOf(error: unknown): FoundProblem {
  if (error instanceof HttpProblem) return { code: error.code, status: error.status, ...error.details };
  if (error instanceof Refusal) return refused(error);
  if (error instanceof Halted || isPermanent(error)) return { ...detailsOf(error), code: error.code, status: 409 };
  if (error instanceof DamagedRecord) return damaged(error);
  if (error instanceof QueueUnavailable || error instanceof ProducerClosed) return UNAVAILABLE;
  if (error instanceof JobFailed) return { ...UNEXPECTED, isUnexpected: true };
  if (isDatabaseAway(error) || isRedisAway(error)) return UNAVAILABLE;
  return ofFramework(error) ?? { ...UNEXPECTED, isUnexpected: true };
}

/** The log has the cause. Sending the request again does not help until the record is repaired. */
function damaged({ message }: DamagedRecord): FoundProblem {
  const details = { message, expected: 'a record as Baton writes it', received: 'a record with other values' };
  return { ...problemOf(new HttpProblem('damaged-record', details)), isUnexpected: true };
}

function refused(error: Refusal): FoundProblem {
  const status = STATUS_OF_REFUSAL[error.code] ?? 409;
  return { ...detailsOf(error), code: error.code, status, ...(status === 503 && { headers: RETRY_LATER }) };
}

function detailsOf({ message, expected, received }: { message: string; expected: string; received: string }) {
  return { message: safeText(message), expected: safeText(expected), received: safeText(received) };
}

/** The problem of a request that may have taken effect: sending it again with the same id is safe. */
export function unavailable(services: string): HttpProblem {
  return new HttpProblem('unavailable', {
    message: `${services} cannot be reached, or refuses requests for now; send the request again later, with the same Idempotency-Key`,
    expected: `an answer of ${services}`,
    received: 'no answer',
    headers: RETRY_LATER,
  });
}

/** The problem of a request that was not answered in time, although the services answer others. */
export function answerTimeout(limitMs: number): HttpProblem {
  return new HttpProblem('answer-timeout', {
    message: `the request did not end within ${limitMs} ms and may still take effect; send it again later, with the same Idempotency-Key`,
    expected: `the end of the request within ${limitMs} ms`,
    received: 'no end',
    headers: RETRY_LATER,
  });
}

const UNAVAILABLE = problemOf(unavailable('Redis or MongoDB'));

const UNEXPECTED: FoundProblem = {
  code: 'internal-error',
  status: 500,
  message: 'an unexpected error ended the request; the log of the server has the cause under the request id',
  expected: 'no error',
  received: 'an unexpected error',
};

type FrameworkProblem = readonly [HttpCode, string, string];

/** The errors of the framework, by its own codes. Their messages quote parts of the request. */
const OF_FRAMEWORK: Readonly<Record<string, FrameworkProblem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large', 'the body is too large', 'a smaller body'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-request', 'the body is not JSON', 'a JSON document'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['media-type-unsupported', 'the media type is not supported', 'application/json'],
  FST_ERR_BAD_URL: ['malformed-request', 'the path cannot be decoded', 'a path in percent-encoding'],
  FST_ERR_MAX_PARAM_LENGTH: ['not-found', 'a part of the path is too long', 'a path of the API'],
};

function ofFramework(error: unknown): FoundProblem | undefined {
  const { code = '', statusCode } = (error ?? {}) as Partial<FastifyError>;
  const known = OF_FRAMEWORK[code];
  if (known === undefined) return statusCode === HTTP_CODES['malformed-request'] ? MALFORMED : undefined;
  const [httpCode, message, expected] = known;
  return problemOf(new HttpProblem(httpCode, { message, expected, received: 'another one' }));
}

export function withoutHost(): HttpProblem {
  return new HttpProblem('malformed-request', {
    message: 'the request has no header Host',
    expected: 'a header Host',
    received: 'no such header',
  });
}

export function compressedBody(): HttpProblem {
  return new HttpProblem('media-type-unsupported', {
    message: 'the body is compressed; send it as it is, without Content-Encoding',
    expected: 'a body without Content-Encoding',
    received: 'a body with Content-Encoding',
  });
}

export const MALFORMED = problemOf(
  new HttpProblem('malformed-request', {
    message: 'the request cannot be read',
    expected: 'a request of HTTP/1.1',
    received: 'another text',
  }),
);
