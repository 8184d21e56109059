import { z } from 'zod';
import type { ClaimRequest } from '../claims/claim.ts';
import { STATUSES } from '../domain/conversation.ts';
import { SPREADS } from '../domain/dealing.ts';
import { Refusal, shown } from '../domain/errors.ts';
import type { OperationRequest } from './request.ts';
import { actorId, campaignId, conversationId, operationId, texterId } from '../domain/ids.ts';

/** More texters than any campaign has; a longer list is a mistake or an attack. */
const TEXTERS_MAX = 2_000;
const REASON_CHARS_MAX = 200;
/** Far above any campaign, and well inside what a number holds exactly. */
const COUNT_MAX = 1_000_000_000;

const count = z
  .int({ error: `expected a whole number from 1 to ${COUNT_MAX}` })
  .min(1)
  .max(COUNT_MAX);
const texters = z.strictObject({ texterIds: z.array(texterId).max(TEXTERS_MAX) });
const namedSources = z.strictObject({ texterIds: z.array(texterId).min(1).max(TEXTERS_MAX) });
const status = z.enum(['any', ...STATUSES]).describe('"any" is truly all, awaiting-contact and closed too.');

const asked = {
  operationId,
  campaignId,
  actorId: actorId.optional(),
  reason: z.string().max(REASON_CHARS_MAX).optional().describe('Kept with the operation. Nothing personal.'),
};

const one = {
  ...asked,
  conversationId,
  expectedAssigneeId: texterId.nullable().optional().describe('Skipped when somebody else holds it. null: the pool.'),
};

export const reassignRequest = z.strictObject({
  kind: z.literal('reassign'),
  ...asked,
  from: z.union([z.enum(['pool', 'everyone']), namedSources], {
    error: `expected "pool", "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  to: z.union([z.literal('everyone'), texters], {
    error: `expected "everyone" or {"texterIds": [up to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count.optional().describe('How many to move; without it, all.'),
  spread: z.enum(SPREADS).default('even'),
});

export const unassignRequest = z.strictObject({
  kind: z.literal('unassign'),
  ...asked,
  from: z.union([z.literal('everyone'), namedSources], {
    error: `expected "everyone" or {"texterIds": [1 to ${TEXTERS_MAX} ids]}`,
  }),
  status,
  count: count.optional().describe('How many to release; without it, all, which must be confirmed.'),
  confirm: z.int().min(0).max(COUNT_MAX).optional().describe('How many the preview said. Refused when there are more.'),
});

export const reassignOneRequest = z.strictObject({
  kind: z.literal('reassign-one'),
  ...one,
  to: z.strictObject({ texterIds: z.tuple([texterId]) }),
});

export const unassignOneRequest = z.strictObject({ kind: z.literal('unassign-one'), ...one });

export const undoRequest = z.strictObject({
  kind: z.literal('undo'),
  ...asked,
  undoes: operationId.describe('The operation or claim to undo: what it moved and nobody touched since goes back.'),
});

export const operationRequest = z.discriminatedUnion('kind', [
  reassignRequest,
  unassignRequest,
  reassignOneRequest,
  unassignOneRequest,
  undoRequest,
]);

type Kind = z.input<typeof operationRequest>['kind'];

/** A request as its caller writes it, before defaults. The method that takes it says its kind. */
export type RequestInput<K extends Kind> = Unchanged<
  Omit<Extract<z.input<typeof operationRequest>, { kind: K }>, 'kind'>
>;

/** Nothing of it is written to: constants will do. */
export type Unchanged<Type> = { readonly [Key in keyof Type]: Unchanged<Type[Key]> };

/** A texter who waits longer has gone home. */
const WAIT_MS_MAX = 24 * 60 * 60 * 1_000;

export const claimRequest = z.strictObject({
  kind: z.literal('self-assign'),
  operationId,
  campaignId,
  texterId,
  count: count.optional().describe('How many are wanted; without it, as many as the campaign gives at once.'),
  waitMs: z
    .int()
    .min(1)
    .max(WAIT_MS_MAX)
    .optional()
    .describe('How long to wait for more when the pool is short, in milliseconds.'),
});

export const cancelRequest = z.strictObject({
  ...asked,
  operationId: operationId.describe('The operation, or waiting claim, that is to stop.'),
});

/** Checks a request from outside. Throws a `bad-request` refusal that says where, what was expected and what came. */
export function parseRequest(input: unknown): OperationRequest {
  return parseWith(operationRequest, input);
}

export function parseClaimRequest(input: unknown): ClaimRequest {
  return parseWith(claimRequest, input);
}

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
