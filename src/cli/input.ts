import { z } from 'zod';
import { Refusal, shown } from '../domain/errors.ts';
import { parseWith } from '../domain/parse.ts';

const LIMIT_MAX = 1_000;
const WAIT_S_MAX = 86_400;

const NUMBER = /^[+-]?\d+(\.\d+)?$/;

/** A number where one was written, the word itself where not, so that whoever refuses it can say what came. */
export function numberOrWord(typed: string | undefined): number | string | undefined {
  return typed !== undefined && NUMBER.test(typed) ? Number(typed) : typed;
}

/** How many lines are wanted. Throws a `bad-request` refusal. */
export function limitOf(typed: string): number {
  return checked('limit', z.int().min(1).max(LIMIT_MAX), numberOrWord(typed));
}

export function waitMsOf(typed: string): number {
  return 1_000 * checked('wait', z.number().min(1).max(WAIT_S_MAX), numberOrWord(typed));
}

/** A value that a schema accepts. Throws a `bad-request` refusal that names it. */
export function checked<Value>(name: string, schema: z.ZodType<Value>, value: unknown): Value {
  return parseWith(z.object({ [name]: schema }), { [name]: value })[name] as Value;
}

export function misused(expected: string, received: unknown): Refusal {
  return new Refusal('bad-request', { expected, received: typeof received === 'string' ? received : shown(received) });
}

/** An error of the system's own, such as ENOENT. */
export function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code);
}
