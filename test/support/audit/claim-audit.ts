import { expect } from 'vitest';
import type { ClaimDoc, ConversationDoc } from '../../../src/mongo/documents.ts';
import type { SelfAssignSettings } from '../../../src/campaigns/campaign.ts';
import type { ClaimInput } from '../../../src/claims/contract.ts';
import type { ClaimResult } from '../../../src/producer/producer-port.ts';
import type { Harness } from '../harness.ts';
import { rawConversations } from '../raw.ts';
import { isClaim, storedMoves, type StoredMove } from './records.ts';

/** One answer that a texter got to a claim. */
export interface ReceivedAnswer {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly answer: ClaimResult | { readonly code: string; readonly message: string };
}

/** A claim that a texter sent, with the answers to all its sendings. */
export interface SentClaimRecord {
  readonly input: ClaimInput;
  readonly answers: ReceivedAnswer[];
}

/** A time during which a conversation was certainly assigned to a texter, in milliseconds since 1970. */
interface Stay {
  readonly conversationId: string;
  /** The operation that assigned it. `null` when it was seeded so. */
  readonly operationId: string | null;
  readonly texterId: string;
  readonly from: number;
  readonly to: number;
  /** True when a claim assigned it or it was seeded so, and false when an administrator did. */
  readonly isOwn: boolean;
}

/** Compares the stored state of a campaign with the claims that were sent and their answers. Uses raw queries only. */
export class ClaimAudit {
  private readonly seeded: ReadonlyMap<string, string | null>;
  private readonly sent: ReadonlyMap<string, SentClaimRecord>;
  private readonly rules: SelfAssignSettings;
  private readonly docs: ReadonlyMap<string, ConversationDoc>;
  private readonly claims: ReadonlyMap<string, ClaimDoc>;
  /** When the answer of each other operation arrived, in milliseconds since 1970. */
  private readonly endedAt: ReadonlyMap<string, number>;
  /** The moves in the stored claims and batches. */
  private readonly moves: readonly StoredMove[];

  private constructor(of: {
    seeded: ReadonlyMap<string, string | null>;
    sent: ReadonlyMap<string, SentClaimRecord>;
    rules: SelfAssignSettings;
    docs: ReadonlyMap<string, ConversationDoc>;
    claims: ReadonlyMap<string, ClaimDoc>;
    endedAt: ReadonlyMap<string, number>;
    moves: readonly StoredMove[];
  }) {
    this.seeded = of.seeded;
    this.sent = of.sent;
    this.rules = of.rules;
    this.docs = of.docs;
    this.claims = of.claims;
    this.endedAt = of.endedAt;
    this.moves = of.moves;
  }

  static async of(
    harness: Harness,
    campaignId: string,
    known: {
      seeded: ReadonlyMap<string, string | null>;
      sent: ReadonlyMap<string, SentClaimRecord>;
      rules: SelfAssignSettings;
      endedAt: ReadonlyMap<string, number>;
    },
  ): Promise<ClaimAudit> {
    const { database } = harness.context;
    const docs = await rawConversations(harness, campaignId);
    const all = await database.claims.find({ campaignId }).toArray();
    const claims = new Map(all.filter(isClaim).map((doc) => [doc._id, doc]));
    const batches = await database.batches.find({ campaignId, state: 'applied' }).toArray();
    return new ClaimAudit({ ...known, docs, claims, moves: storedMoves(batches, [...claims.values()]) });
  }

  /** How much has happened. */
  get counts(): Record<'claims' | 'granting' | 'refused' | 'waited' | 'moves', number> {
    const claims = [...this.claims.values()];
    return {
      claims: claims.length,
      granting: claims.filter(({ granted }) => granted.length > 0).length,
      refused: claims.filter(({ error }) => error !== null).length,
      waited: claims.filter(({ request, startedAt, endedAt }) => request.waitMs && after(startedAt, endedAt)).length,
      moves: this.moves.length,
    };
  }

  /** No conversation was added or lost, and the history of each one leads to its assignee. */
  checkAssignees(): void {
    expect([...this.docs.keys()].sort()).toEqual([...this.seeded.keys()].sort());
    for (const [id, { history, assigneeId, assignmentVersion, lastOperationId }] of this.docs) {
      const forgotten = assignmentVersion - history.length;
      const first = forgotten === 0 ? this.seeded.get(id) : history[0]?.from;
      const assignees = [first, ...history.map(({ to }) => to)];
      expect(history.map(({ from }) => from)).toEqual(assignees.slice(0, -1));
      expect(assigneeId).toBe(assignees.at(-1));
      expect(lastOperationId).toBe(history.at(-1)?.operationId ?? null);
    }
  }

  /** Every move in a history is in a stored claim or batch, and every stored move was made exactly once. */
  checkReceiptsAgainstHistories(): void {
    const inDatabase = new Map<string, string[]>();
    for (const { conversationId, operationId } of this.moves) {
      inDatabase.set(conversationId, [...(inDatabase.get(conversationId) ?? []), operationId]);
    }
    for (const [id, { history, assignmentVersion }] of this.docs) {
      const ids = inDatabase.get(id) ?? [];
      expect([id, ids.length]).toEqual([id, assignmentVersion]);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(expect.arrayContaining(history.map(({ operationId }) => operationId)));
    }
  }

  /** Claims moved conversations from the pool only, and never an opted-out or started one. */
  checkGrants(): void {
    for (const { _id, granted, request } of this.claims.values()) {
      for (const id of granted.map((each) => each.toHexString())) {
        const doc = this.docs.get(id);
        expect(doc).toMatchObject({ status: 'not-started', optedOut: false });
        const moves = doc?.history.filter(({ operationId }) => operationId === _id) ?? [];
        expect(moves.map(({ from, to, by }) => [from, to, by])).toEqual(
          moves.length === 0 ? [] : [[null, request.texterId, request.texterId]],
        );
      }
    }
  }

  /** Every claim that was sent has ended, and every answer equals the stored claim. */
  checkAnswers(): void {
    expect([...this.claims.keys()].sort()).toEqual([...this.sent.keys()].sort());
    for (const [operationId, { answers }] of this.sent) {
      const doc = this.claims.get(operationId);
      const granted = doc?.granted.map((id) => id.toHexString());
      expect(doc?.state).toBe(doc?.error ? 'failed' : 'done');
      expect(doc?.waiting).toBeUndefined();
      for (const { answer } of answers) {
        if ('code' in answer) expect(doc?.error).toMatchObject(answer);
        else expect(answer).toMatchObject({ conversationIds: granted, receipt: doc?.receipt });
      }
      if (doc?.error) expect(granted).toEqual([]);
      else expect(doc?.receipt?.moved).toBe(granted?.length);
      const creators = answers.filter(({ answer }) => 'outcome' in answer && answer.outcome === 'created');
      expect(creators).toHaveLength(doc?.error ? 0 : 1);
    }
  }

  /** A claim that ended short has waited as long as its request says. */
  checkWaiting(): void {
    for (const { request, receipt, acceptedAt, endedAt } of this.claims.values()) {
      if (request.waitMs === undefined || receipt?.shortBecause !== 'none-left') continue;
      expect(endedAt?.getTime()).toBeGreaterThanOrEqual(acceptedAt.getTime() + request.waitMs);
    }
  }

  /** No claim was granted more than one claim may have, or more than its texter may have in all. */
  checkLimits(): void {
    const stays = this.staysByTexter();
    for (const { _id, granted, request } of this.claims.values()) {
      const { batchMax, openMax, repliesMax } = this.rules;
      expect(granted.length).toBeLessThanOrEqual(Math.min(request.count ?? batchMax, batchMax));
      if (granted.length === 0) continue;
      const lastMoveAt = this.lastMoveAt(_id);
      const answeredAt = this.firstAnswerAt(_id);
      const meanwhile = (stays.get(request.texterId) ?? []).filter(
        (stay) => stay.to > answeredAt && (stay.from < lastMoveAt || stay.operationId === _id),
      );
      const docs = meanwhile.map(({ conversationId }) => this.docs.get(conversationId));
      const statuses = docs.flatMap((doc) => (doc?.optedOut ? [] : [doc?.status]));
      const notStarted = statuses.filter((status) => status === 'not-started').length;
      const replies = statuses.filter((status) => status === 'needs-reply').length;
      expect(notStarted).toBeLessThanOrEqual(openMax);
      expect(replies).toBeLessThanOrEqual(repliesMax ?? Infinity);
    }
    for (const ofTexter of stays.values()) {
      const own = ofTexter.filter((stay) => this.isOwnNotStarted(stay));
      expect(mostAtOnce(own)).toBeLessThanOrEqual(this.rules.openMax);
    }
  }

  private isOwnNotStarted({ conversationId, isOwn }: Stay): boolean {
    const doc = this.docs.get(conversationId);
    return isOwn && doc?.status === 'not-started' && !doc.optedOut;
  }

  /**
   * A move carries the time at which its transaction began, and is committed before its answer arrives. A stay therefore
   * begins with the answer to the move that began it, and ends with the time of the next move.
   */
  private staysByTexter(): Map<string, Stay[]> {
    const byTexter = new Map<string, Stay[]>();
    for (const [conversationId, { history, assignmentVersion }] of this.docs) {
      const isWhole = assignmentVersion === history.length;
      const first = { operationId: null, to: this.seeded.get(conversationId) ?? null, from: 0, isOwn: true };
      const stays = [
        ...(isWhole ? [first] : []),
        ...history.map(({ to, operationId }) => ({
          operationId,
          to,
          from: this.endedAt.get(operationId) ?? this.firstAnswerAt(operationId),
          isOwn: this.claims.has(operationId),
        })),
      ];
      const ends = [...history.slice(isWhole ? 0 : 1).map(({ at }) => at.getTime()), Infinity];
      for (const [index, { to: texterId, from, operationId, isOwn }] of stays.entries()) {
        if (texterId === null) continue;
        const stay = { conversationId, operationId, texterId, from, to: ends[index] ?? Infinity, isOwn };
        byTexter.set(texterId, [...(byTexter.get(texterId) ?? []), stay]);
      }
    }
    return byTexter;
  }

  /** The claim was committed by then. */
  private firstAnswerAt(operationId: string): number {
    return Math.min(Infinity, ...(this.sent.get(operationId)?.answers ?? []).map(({ at }) => at));
  }

  private lastMoveAt(operationId: string): number {
    const moves = [...this.docs.values()].flatMap(({ history }) =>
      history.filter((move) => move.operationId === operationId).map(({ at }) => at.getTime()),
    );
    return Math.max(0, ...moves);
  }
}

function after(from: Date | null, to: Date | null): boolean {
  return (to?.getTime() ?? 0) > (from?.getTime() ?? 0);
}

function mostAtOnce(stays: readonly Stay[]): number {
  const steps = stays
    .filter(({ from, to }) => from < to)
    .flatMap(({ from, to }) => [
      { at: from, change: 1 },
      { at: to, change: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.change - b.change);
  let [now, most] = [0, 0];
  for (const { change } of steps) most = Math.max(most, (now += change));
  return most;
}
