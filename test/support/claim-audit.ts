import { expect } from 'vitest';
import type { ClaimDoc, ConversationDoc } from '../../src/mongo/documents.ts';
import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import type { ClaimInput, ClaimResult } from '../../src/producer/producer-port.ts';
import type { Harness } from './harness.ts';
import { idsOf, rawConversations } from './raw.ts';

/** What a texter was told of a claim, and when. */
export interface Told {
  readonly at: number;
  readonly answer: ClaimResult | { readonly code: string; readonly message: string };
}

export interface Asked {
  readonly input: ClaimInput;
  readonly told: Told[];
}

interface Move {
  readonly operationId: string;
  readonly conversationId: string;
  readonly to: string | null;
}

/** From when on a texter surely held a conversation, and when that ended, in milliseconds since 1970. */
interface Held {
  readonly conversationId: string;
  /** What gave it; `null` when it was there from the beginning. */
  readonly operationId: string | null;
  readonly texterId: string;
  readonly from: number;
  readonly to: number;
  /** By a claim of the texter's own, or there from the beginning: not given by an administrator. */
  readonly isOwn: boolean;
}

/** Everything a campaign's database says after all is over, held against what was asked and told. By raw queries only. */
export class ClaimAudit {
  private readonly seeded: ReadonlyMap<string, string | null>;
  private readonly asked: ReadonlyMap<string, Asked>;
  private readonly rules: SelfAssignSettings;
  private readonly docs: ReadonlyMap<string, ConversationDoc>;
  private readonly claims: ReadonlyMap<string, ClaimDoc>;
  /** When each other operation was told to be over. */
  private readonly overs: ReadonlyMap<string, number>;
  /** As the ledger has them: what claims were given, and what batches moved. */
  private readonly moves: readonly Move[];

  private constructor(of: {
    seeded: ReadonlyMap<string, string | null>;
    asked: ReadonlyMap<string, Asked>;
    rules: SelfAssignSettings;
    docs: ReadonlyMap<string, ConversationDoc>;
    claims: ReadonlyMap<string, ClaimDoc>;
    overs: ReadonlyMap<string, number>;
    moves: readonly Move[];
  }) {
    this.seeded = of.seeded;
    this.asked = of.asked;
    this.rules = of.rules;
    this.docs = of.docs;
    this.claims = of.claims;
    this.overs = of.overs;
    this.moves = of.moves;
  }

  static async of(
    harness: Harness,
    campaignId: string,
    known: {
      seeded: ReadonlyMap<string, string | null>;
      asked: ReadonlyMap<string, Asked>;
      rules: SelfAssignSettings;
      overs: ReadonlyMap<string, number>;
    },
  ): Promise<ClaimAudit> {
    const { database } = harness.context;
    const docs = await rawConversations(harness, campaignId);
    const all = await database.claims.find({ campaignId }).toArray();
    const claims = new Map(all.filter(isClaim).map((doc) => [doc._id, doc]));
    const batches = await database.batches.find({ campaignId, state: 'applied' }).toArray();
    const byBatches = batches.flatMap(({ operationId, moves }) =>
      moves.flatMap((group) => idsOf([group]).map((conversationId) => ({ operationId, conversationId, to: group.to }))),
    );
    const byClaims = [...claims.values()].flatMap(({ _id, granted, request }) =>
      granted.map((id) => ({ operationId: _id, conversationId: id.toHexString(), to: request.texterId })),
    );
    return new ClaimAudit({ ...known, docs, claims, moves: [...byBatches, ...byClaims] });
  }

  /** How much there was to go wrong. */
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

  /** Nothing came or went, and the assignee of each is where its moves led, one after the other. */
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

  /** Every move that a conversation knows of stands in the ledger, and every move in the ledger was made, once. */
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

  /** A claim takes from the pool only, never what is opted out or has been started. */
  holdGrants(): void {
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

  /** All that was asked has ended, and everybody who asked was told what the ledger has. */
  holdAnswers(): void {
    expect([...this.claims.keys()].sort()).toEqual([...this.asked.keys()].sort());
    for (const [claimId, { told }] of this.asked) {
      const doc = this.claims.get(claimId);
      const granted = doc?.granted.map((id) => id.toHexString());
      expect(doc?.state).toBe(doc?.error ? 'failed' : 'done');
      expect(doc?.waiting).toBeUndefined();
      for (const { answer } of told) {
        if ('code' in answer) expect(answer).toMatchObject(doc?.error ?? { code: null });
        else expect(answer).toMatchObject({ conversationIds: granted, receipt: doc?.receipt });
      }
      if (doc?.error) expect(granted).toEqual([]);
      else expect(doc?.receipt?.moved).toBe(granted?.length);
      const makers = told.filter(({ answer }) => 'outcome' in answer && answer.outcome === 'created');
      expect(makers).toHaveLength(doc?.error ? 0 : 1);
    }
  }

  /** A claim that ended short, and was asked to wait, has waited as long as it was asked to. */
  holdWaiting(): void {
    for (const { request, receipt, acceptedAt, endedAt } of this.claims.values()) {
      if (request.waitMs === undefined || receipt?.shortBecause !== 'none-left') continue;
      expect(endedAt?.getTime()).toBeGreaterThanOrEqual(acceptedAt.getTime() + request.waitMs);
    }
  }

  /** What each claim was given at once, and what its texter then held. */
  holdCaps(): void {
    const held = this.held();
    for (const { _id, granted, request } of this.claims.values()) {
      const { batchMax, openMax, repliesMax } = this.rules;
      expect(granted.length).toBeLessThanOrEqual(Math.min(request.count ?? batchMax, batchMax));
      if (granted.length === 0) continue;
      const given = this.lastGivenAt(_id);
      const until = this.toldAt(_id);
      const meanwhile = (held.get(request.texterId) ?? []).filter(
        (each) => each.to > until && (each.from < given || each.operationId === _id),
      );
      const statuses = meanwhile.map(({ conversationId }) => this.docs.get(conversationId)?.status);
      const notStarted = statuses.filter((status) => status === 'not-started').length;
      const replies = statuses.filter((status) => status === 'needs-reply').length;
      expect(notStarted).toBeLessThanOrEqual(openMax);
      expect(replies).toBeLessThanOrEqual(repliesMax ?? Infinity);
    }
    for (const each of held.values())
      expect(mostAtOnce(each.filter(this.isOwnNotStarted))).toBeLessThanOrEqual(this.rules.openMax);
  }

  private readonly isOwnNotStarted = ({ conversationId, isOwn }: Held): boolean =>
    isOwn && this.docs.get(conversationId)?.status === 'not-started';

  /**
   * By texter. Moves bear the moment at which they were begun, and so does the end of a single one, which is written with
   * its move; they were over when somebody was told. In between nobody can say, so only what is certain counts.
   */
  private held(): Map<string, Held[]> {
    const held = new Map<string, Held[]>();
    for (const [conversationId, { history, assignmentVersion }] of this.docs) {
      const isWhole = assignmentVersion === history.length;
      const first = { operationId: null, to: this.seeded.get(conversationId) ?? null, over: 0, isOwn: true };
      const stays = [
        ...(isWhole ? [first] : []),
        ...history.map(({ to, operationId }) => ({
          operationId,
          to,
          over: this.overs.get(operationId) ?? this.toldAt(operationId),
          isOwn: this.claims.has(operationId),
        })),
      ];
      const ends = [...history.slice(isWhole ? 0 : 1).map(({ at }) => at.getTime()), Infinity];
      for (const [index, { to: texterId, over: from, operationId, isOwn }] of stays.entries()) {
        if (texterId === null) continue;
        const stay = { conversationId, operationId, texterId, from, to: ends[index] ?? Infinity, isOwn };
        held.set(texterId, [...(held.get(texterId) ?? []), stay]);
      }
    }
    return held;
  }

  /** The first that anybody was told of it: by then it was written. */
  private toldAt(claimId: string): number {
    return Math.min(Infinity, ...(this.asked.get(claimId)?.told ?? []).map(({ at }) => at));
  }

  private lastGivenAt(claimId: string): number {
    const moves = [...this.docs.values()].flatMap(({ history }) =>
      history.filter(({ operationId }) => operationId === claimId).map(({ at }) => at.getTime()),
    );
    return Math.max(0, ...moves);
  }
}

function isClaim(doc: ClaimDoc): boolean {
  return (doc.request.kind as string) === 'self-assign';
}

function after(from: Date | null, to: Date | null): boolean {
  return (to?.getTime() ?? 0) > (from?.getTime() ?? 0);
}

function mostAtOnce(stays: readonly Held[]): number {
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
