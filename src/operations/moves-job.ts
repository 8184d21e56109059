import { z } from 'zod';
import type { MovesPage } from '../domain/answers.ts';
import { campaignId, operationId } from '../domain/ids.ts';
import type { OperationState } from '../domain/operation.ts';
import { parseWith, type DeepReadonly } from '../domain/requests.ts';
import { JOB_VERSION, version } from '../queue/job.ts';
import type { Skip } from './batch.ts';
import type { Move } from './moves.ts';

/** A page of more conversations would make a large job. */
export const MOVES_OF_PAGE_MAX = 1_000;
const CURSOR_RULE = 'must be the "next" of the page before';
const CURSOR = /^([0-9]{1,8})-([0-9]{1,8})$/;

/** The first conversation of a page, as text. */
export const movesPlace = z.string({ error: CURSOR_RULE }).regex(CURSOR, { error: CURSOR_RULE });

export const movesRequest = z.strictObject({
  operationId: operationId.describe('The operation or claim to read.'),
  campaignId,
  after: movesPlace.optional().describe('The "next" of the page before. Default: from the beginning.'),
  limit: z
    .int()
    .min(1)
    .max(MOVES_OF_PAGE_MAX)
    .default(MOVES_OF_PAGE_MAX)
    .describe('The most conversations of the page.'),
});

export type MovesRequest = DeepReadonly<z.output<typeof movesRequest>>;

/** The first conversation of a page: `offset` conversations of the batch with this number are on earlier pages. */
export interface Place {
  readonly number: number;
  readonly offset: number;
}

/** Reads what {@link cursorOf} wrote. */
export function placeAt(cursor = '1-0'): Place {
  const [, number, offset] = CURSOR.exec(cursor) ?? [];
  return { number: Number(number), offset: Number(offset) };
}

export function cursorOf({ number, offset }: Place): string {
  return `${number}-${offset}`;
}

export function parseMovesRequest(input: unknown): MovesRequest {
  return parseWith(movesRequest, input);
}

/** Answers what an operation has done, conversation by conversation. In the queue of previews. */
export const MOVES_JOB = 'moves';

/** The job has a random id. It changes nothing. */
export const movesJob = z.strictObject({ version, request: movesRequest });
type MovesJob = z.output<typeof movesJob>;

/** The return value of the job. Conversations with the same move share one entry, because Redis keeps the answer. */
export interface MovesAnswer {
  readonly operationId: string;
  readonly campaignId: string;
  readonly state: OperationState;
  /** `at`: when the batch or claim was completed, as an ISO date; `null` while a claim waits for more. */
  readonly moves: readonly (Move & { readonly at: string | null })[];
  readonly skips: readonly Skip[];
  /** The cursor of the next page; `null` after the last page of an operation that has ended. */
  readonly next: string | null;
}

/** Parses the request and makes the job. Throws a `bad-request` refusal. */
export function newMovesJob(request: unknown): MovesJob {
  return parseMovesJob({ version: JOB_VERSION, request });
}

export function parseMovesJob(data: unknown): MovesJob {
  return parseWith(movesJob, data);
}

export type { ConversationResult, MovesPage } from '../domain/answers.ts';

/** Lists the conversations of an answer one by one. */
export function toMovesPage({ moves, skips, ...page }: MovesAnswer): MovesPage {
  const moved = moves.flatMap(({ conversationIds, at, ...move }) => {
    const common = { result: 'moved', ...move, at: at === null ? null : new Date(at) } as const;
    return conversationIds.map((conversationId) => ({ conversationId, ...common }));
  });
  const skipped = skips.flatMap(({ conversationIds, reason }) =>
    conversationIds.map((conversationId) => ({ conversationId, result: 'skipped', reason }) as const),
  );
  return { ...page, conversations: [...moved, ...skipped] };
}
