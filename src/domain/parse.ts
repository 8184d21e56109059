import type { z } from 'zod';
import { Refusal, shown } from './errors.ts';

/** Nothing of it is written to: constants will do. */
export type Unchanged<Type> = { readonly [Key in keyof Type]: Unchanged<Type[Key]> };

/** Checks anything from outside against a schema, with a refusal that can be read. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = deepest(parsed.error.issues);
  const where = issue?.path.map(String).join('.') ?? '';
  throw new Refusal('bad-request', {
    expected: `${where === '' ? 'a request' : where} to be valid (${issue?.message ?? 'invalid'})`,
    received: shown(valueAt(input, issue?.path ?? [])),
  });
}

/** Where one of several shapes was expected, the complaint of the one that got furthest says the most. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  const [first] = issues;
  if (first?.code !== 'invalid_union') return first;
  const inside = first.errors.map(deepest).filter((issue) => issue !== undefined && issue.path.length > 0);
  const best = inside.reduce((a, b) => (b && b.path.length > (a?.path.length ?? 0) ? b : a), undefined);
  return best ? { ...best, path: [...first.path, ...best.path] } : first;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const inside = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return inside ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }, input);
}
