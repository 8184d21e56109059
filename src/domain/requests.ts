import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { Refusal } from './errors.ts';
import { shown } from './visible-text.ts';
import { shownId } from './safe-text.ts';

/** The type with all fields readonly. */
export type DeepReadonly<Type> = { readonly [Key in keyof Type]: DeepReadonly<Type[Key]> };

/**
 * Checks a value from outside against a schema. Throws a `bad-request` refusal that names the wrong field and the rule that
 * it breaks, such as "count must be a whole number". If a schema has an error text of its own, the text must be such a rule.
 */
export function parseWith<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input, { error: ruleOf });
  if (parsed.success) return parsed.data;
  const issue = mostSpecific(parsed.error.issues);
  const path = issue?.path ?? [];
  const field = path.length === 0 ? 'the request' : path.map(String).join('.');
  const value = valueAt(input, path);
  const expected = `${field} ${issue?.message ?? 'must be valid'}`;
  throw new Refusal('bad-request', {
    message: value === undefined ? `${field} is missing` : expected,
    expected,
    received: shownId(issue?.code === 'unrecognized_keys' ? issue.keys[0] : value),
  });
}

/** When none of several alternatives matched, reports the alternative that matched furthest. */
function mostSpecific(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const [first] = issues;
  if (first?.code !== 'invalid_union') return first;
  const inside = first.errors.map(mostSpecific).filter((issue) => issue !== undefined && issue.path.length > 0);
  const best = inside.reduce((a, b) => (b && b.path.length > (a?.path.length ?? 0) ? b : a), undefined);
  return best ? { ...best, path: [...first.path, ...best.path] } : first;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const inside = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return inside ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }, input);
}

/** Describes the rule that a value breaks, for schemas without an error text of their own. */
export function ruleOf(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${NOUNS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${alternatives(issue.values)}`;
    case 'unrecognized_keys':
      return `must not have the field ${shownId(issue.keys[0])}`;
    case 'too_small':
      return issue.minimum === 1 && issue.origin in UNITS
        ? 'must not be empty'
        : `must ${amount('at least', Number(issue.minimum), issue.origin)}`;
    case 'too_big':
      return `must ${amount('at most', Number(issue.maximum), issue.origin)}`;
    case 'invalid_union':
      return Array.isArray(issue['options']) ? `must be ${alternatives(issue['options'])}` : 'must be valid';
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'not_multiple_of':
      return 'must be valid';
  }
}

const OR = new Intl.ListFormat('en', { type: 'disjunction' });

function alternatives(values: readonly unknown[]): string {
  return OR.format(values.map(shown));
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

const UNITS: Readonly<Record<string, string>> = { string: 'character', array: 'item' };

/** Formats a limit: "be at least 3" for numbers, "have at least 3 items" for lists and texts. */
function amount(bound: 'at least' | 'at most', limit: number, origin: string): string {
  const number = limit.toLocaleString('en-US');
  const unit = UNITS[origin];
  return unit === undefined ? `be ${bound} ${number}` : `have ${bound} ${number} ${unit}${limit === 1 ? '' : 's'}`;
}

/** Fields of a request that do not change what an operation does. A retry may have other values. */
const NOT_HASHED: ReadonlySet<string> = new Set(['actorId', 'reason', 'confirm', 'traceparent']);

/** Lists that stand for sets: of ids, or of conversations with their expected assignees. */
const SETS: ReadonlySet<string> = new Set(['texterIds', 'conversations']);

/**
 * Hashes what a request asks for: the order of fields and of the ids in a list, repeated ids, the actor, the reason, the
 * confirmation and the trace make no difference. The producer and the workers use this one function to recognise an operation id that
 * comes again with a different request.
 */
export function requestHash(request: object): string {
  const hashed = Object.entries(request).filter(([field]) => !NOT_HASHED.has(field));
  return createHash('sha256')
    .update(canonicalJson(Object.fromEntries(hashed)))
    .digest('base64url');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (Array.isArray(inner)) return SETS.has(key) ? sorted(inner) : (inner as unknown[]);
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function sorted(items: readonly unknown[]): unknown[] {
  return [...new Set(items.map((item) => (typeof item === 'object' ? canonicalJson(item) : item)))].sort();
}

/** Makes a check of a value from a function that says what is wrong with it. */
export function reportProblem(problemOf: (value: string) => string | undefined) {
  return (value: string, context: z.RefinementCtx): void => {
    const message = problemOf(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}
