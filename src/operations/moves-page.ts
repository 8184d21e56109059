import type { Claim } from '../claims/index.ts';
import { unknownOperation } from '../domain/errors.ts';
import { isEnded } from '../domain/operation.ts';
import { placeAt, cursorOf, type MovesAnswer, type MovesRequest, type Place } from './moves-job.ts';
import { countMoves, splitMoves, type Move } from './moves.ts';
import { isClaim } from './operation.ts';
import type { Stores } from './ports.ts';
import type { OperationViewStore, ViewedBatch } from './view-ports.ts';
import { grantedMove } from './undo.ts';

/** How many batches one query reads at most. A batch lists up to thousands of conversations. */
const BATCHES_AT_ONCE_MAX = 16;
/** How many batches a page reads at most. Beside many other writers, batches are small. */
const BATCHES_OF_PAGE_MAX = 256;

type Groups = Pick<MovesAnswer, 'moves' | 'skips'>;
type Page = Groups & Pick<MovesAnswer, 'next'>;

const NOTHING: Groups = { moves: [], skips: [] };

export interface MovesDeps {
  readonly stores: Pick<Stores, 'operations'>;
  readonly operationViews: OperationViewStore;
}

/**
 * Reads a page of what an operation or claim did, in the order of its batches. A page ends before a batch that is not
 * applied yet. Throws an `unknown-operation` refusal.
 */
export async function readMoves({ stores, operationViews }: MovesDeps, request: MovesRequest): Promise<MovesAnswer> {
  const { operationId, campaignId, after, limit } = request;
  const operation = await stores.operations.findOperationOrClaim(operationId);
  if (operation?.campaignId !== campaignId) throw unknownOperation(operationId, campaignId);
  const { state } = operation;
  const start = placeAt(after);
  const page = isClaim(operation)
    ? pageOfClaim(operation, start, limit)
    : await pageOfBatches(operationViews.batchesFrom(operationId, start.number, READS), start, limit, isEnded(state));
  return { operationId, campaignId, state, ...page };
}

const READS = { atOnceMax: BATCHES_AT_ONCE_MAX, inAllMax: BATCHES_OF_PAGE_MAX };

/** A claim has no batches. It stores its conversations in the order in which it received them. */
function pageOfClaim(claim: Claim, { number, offset }: Place, limit: number): Page {
  const move = grantedMove(claim, offset, limit);
  const next = offset + move.conversationIds.length;
  const moves = move.conversationIds.length > 0 ? [{ ...move, at: isoOf(claim.endedAt) }] : [];
  const isLast = isEnded(claim.state) && next >= claim.granted.length;
  return { moves, skips: [], next: isLast ? null : cursorOf({ number, offset: next }) };
}

async function pageOfBatches(
  batches: AsyncIterable<ViewedBatch>,
  start: Place,
  limit: number,
  hasEnded: boolean,
): Promise<Page> {
  const page: Groups[] = [];
  let place = start;
  let room = limit;
  // A cursor of another operation can be behind the end marker.
  let isAtEnd = true;
  for await (const batch of batches) {
    isAtEnd = batch.state === 'end-marker';
    if (isAtEnd || batch.state === 'planned' || room === 0) break;
    const offset = batch.number === start.number ? start.offset : 0;
    const groups = batch.state === 'applied' ? sliceOf(batch, offset, room) : NOTHING;
    const count = countMoves([...groups.moves, ...groups.skips]);
    page.push(groups);
    room -= count;
    const isWhole = batch.state !== 'applied' || offset + count >= countMoves([...batch.moves, ...batch.skips]);
    place = isWhole ? { number: batch.number + 1, offset: 0 } : { number: batch.number, offset: offset + count };
    if (!isWhole) break;
  }
  const next = hasEnded && isAtEnd ? null : cursorOf(place);
  return { moves: page.flatMap(({ moves }) => moves), skips: page.flatMap(({ skips }) => skips), next };
}

/** Returns `count` conversations of a batch, after the first `offset` ones: first those that moved, then the skipped ones. */
function sliceOf({ moves, skips, appliedAt }: ViewedBatch, offset: number, count: number): Groups {
  const at = isoOf(appliedAt);
  const moved = slice(moves, offset, count);
  const skipped = slice(skips, Math.max(0, offset - countMoves(moves)), count - countMoves(moved));
  return { moves: moved.map((move) => ({ ...move, at })), skips: skipped };
}

function slice<Group extends Pick<Move, 'conversationIds'>>(
  groups: readonly Group[],
  offset: number,
  count: number,
): Group[] {
  return splitMoves(splitMoves(groups, offset).rest, count).first;
}

function isoOf(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
