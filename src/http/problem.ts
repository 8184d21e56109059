import { z } from 'zod';
import type { RefusalCode } from '../domain/errors.ts';

/** The codes of problems that only the HTTP API has. They are part of the public contract. */
export const HTTP_CODES = {
  'answer-timeout': 504,
  'body-too-large': 413,
  busy: 503,
  'cursor-refused': 400,
  'damaged-record': 500,
  'headers-too-large': 431,
  'internal-error': 500,
  'key-missing': 401,
  'key-refused': 401,
  'malformed-request': 400,
  'media-type-unsupported': 415,
  'method-not-allowed': 405,
  'not-found': 404,
  'rate-limited': 429,
  'request-too-slow': 408,
  'scope-missing': 403,
  'token-expired': 401,
  'token-refused': 401,
  'too-many-rows': 413,
  'too-many-streams': 429,
  unavailable: 503,
  'worker-timeout': 503,
} as const;

export type HttpCode = keyof typeof HTTP_CODES;

/** A wrong value in the body, named by a JSON pointer; `#/query/…` and `#/headers/…` name values outside of the body. */
export interface WrongValue {
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemDetails {
  readonly message: string;
  readonly expected: string;
  readonly received: string;
  readonly errors?: readonly WrongValue[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A problem that the HTTP API finds itself. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: HttpCode | RefusalCode;
  readonly status: number;
  readonly details: ProblemDetails;

  constructor(code: HttpCode, details: ProblemDetails) {
    super(details.message);
    this.code = code;
    this.status = HTTP_CODES[code];
    this.details = details;
  }
}

/** The same answer for a resource that does not exist and for one of another organisation. */
export function notFound(noun: string): HttpProblem {
  return new HttpProblem('not-found', {
    message: `this ${noun} does not exist`,
    expected: `the id of a ${noun} of your organisation`,
    received: 'another id',
  });
}

export const PROBLEM_TYPE = 'application/problem+json';

const wrongValue = z
  .object({ pointer: z.string().describe('A JSON pointer to the wrong value.'), detail: z.string() })
  .meta({ id: 'WrongValue' });

/** A problem document of RFC 9457. */
export const problemDocument = z
  .object({
    type: z.string().describe('A URI that identifies the kind of problem. It ends with the code.'),
    title: z.string().describe('The kind of problem in words.'),
    status: z.int().describe('The status of the response.'),
    detail: z.string().describe('A sentence for people. It contains no name and no phone number.'),
    instance: z.string().describe('A URI of this occurrence. It contains the request id.'),
    code: z.string().describe('A stable code for programs.'),
    expected: z.string().describe('What would have been accepted.'),
    received: z.string().describe('What was received.'),
    errors: z.array(wrongValue).optional().describe('Every wrong value of the request.'),
    requestId: z.string().describe('The id of the request. The log of the server has it too.'),
  })
  .meta({ id: 'Problem' });

export type ProblemDocument = z.output<typeof problemDocument>;
