import type { ClaimDoc, ConversationDoc, OperationDoc } from '../../../src/mongo/documents.ts';
import type { Context } from '../../../src/context.ts';

/** The clocks of the database and of this process may differ by this much. */
const CLOCKS_DIFFER_MS_MAX = 500;

/** A time during which a conversation was certainly assigned to a texter and not started, in milliseconds since 1970. */
interface Stay {
  readonly operationId: string;
  /** The operation that assigned the conversation was complete by then. */
  readonly from: number;
  readonly to: number;
}

/**
 * Checks that no claim exceeded `openMax` when it was granted. It counts only what certainly counted at that time: a
 * conversation that an operation had assigned before the claim was accepted, and that was neither moved nor sent a message
 * before the claim had ended. Returns the violations.
 */
export async function checkOpenMax(
  { database }: Pick<Context, 'database'>,
  campaignId: string,
  openMax: number,
  firstStatusChangeAt: ReadonlyMap<string, number>,
): Promise<string[]> {
  const claims = await database.claims.find({ campaignId, kind: 'self-assign' }).toArray();
  const operations = await database.operations.find({ campaignId }).toArray();
  const ends = new Map([...operations, ...claims].map((doc) => [doc._id, endOf(doc)]));
  const stays = new Map<string, Stay[]>();
  for await (const doc of database.conversations.find({ campaignId, assignmentVersion: { $gt: 0 } })) {
    addStays(stays, doc, ends, firstStatusChangeAt.get(doc._id.toHexString()) ?? Infinity);
  }
  return claims.flatMap((claim) => {
    const open = countOpen(claim, stays.get(claim.request.texterId) ?? []);
    if (claim.granted.length === 0 || open + claim.granted.length <= openMax) return [];
    const granted = `${claim.granted.length} conversations to a texter with ${open} open ones`;
    return [`${campaignId}: claim ${claim._id} granted ${granted}; the most is ${openMax}`];
  });
}

function addStays(
  stays: Map<string, Stay[]>,
  { history }: ConversationDoc,
  ends: ReadonlyMap<string, number>,
  startedAt: number,
): void {
  for (const [index, { to, operationId }] of history.entries()) {
    if (to === null) continue;
    const movedAt = history[index + 1]?.at.getTime() ?? Infinity;
    const stay = { operationId, from: ends.get(operationId) ?? Infinity, to: Math.min(movedAt, startedAt) };
    const ofTexter = stays.get(to);
    if (ofTexter) ofTexter.push(stay);
    else stays.set(to, [stay]);
  }
}

function countOpen(claim: ClaimDoc, stays: readonly Stay[]): number {
  const [acceptedAt, endedAt] = [claim.acceptedAt.getTime(), endOf(claim)];
  const isOpen = ({ operationId, from, to }: Stay): boolean =>
    operationId !== claim._id && from < acceptedAt && to > endedAt + CLOCKS_DIFFER_MS_MAX;
  return stays.filter(isOpen).length;
}

function endOf({ endedAt }: Pick<ClaimDoc | OperationDoc, 'endedAt'>): number {
  return endedAt?.getTime() ?? Infinity;
}
