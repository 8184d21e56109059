import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { ruleOf } from '../domain/requests.ts';
import { shownId } from '../domain/safe-text.ts';
import type { WrongValue } from './problem.ts';

/** A request whose values do not follow the schema of the route. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
  readonly part: string;
  readonly errors: readonly WrongValue[];

  constructor(part: string, issues: readonly z.core.$ZodIssue[]) {
    super('the request is not valid');
    this.part = part;
    this.errors = issues.flatMap((issue) => wrongValues(part, issue)).slice(0, ERRORS_SHOWN_MAX);
  }
}

/** No route takes the JSON value null. */
export function nullBody(): InvalidRequest {
  return new InvalidRequest('body', [{ code: 'custom', path: [], message: 'must be an object', input: null }]);
}

const ERRORS_SHOWN_MAX = 20;

/** Checks a part of a request against the schema of the route. The same rules describe the errors of the producer. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart = 'body' }) =>
  (data: unknown) => {
    // The framework passes null for a request without a body.
    const parsed = schema.safeParse(httpPart === 'body' ? (data ?? undefined) : data, { error: ruleOf });
    return parsed.success ? { value: parsed.data } : { error: new InvalidRequest(httpPart, parsed.error.issues) };
  };

function wrongValues(part: string, issue: z.core.$ZodIssue): WrongValue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerTo(part, issue.path), detail: `unknown field ${shownId(key)}` }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const inside = issue.errors.flat().filter(({ path }) => path.length > 0);
    const deepest = inside.toSorted((a, b) => b.path.length - a.path.length)[0];
    if (deepest) return wrongValues(part, { ...deepest, path: [...issue.path, ...deepest.path] });
  }
  return [{ pointer: pointerTo(part, issue.path), detail: issue.message }];
}

/** A pointer into the body, or `#/query/…` for a value outside of it. RFC 6901 escapes `~` and `/`. */
function pointerTo(part: string, path: readonly PropertyKey[]): string {
  const keys = part === 'body' ? path : [part === 'querystring' ? 'query' : part, ...path];
  return `#${keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}
