import { isEnded } from '../../src/domain/operation.ts';
import type { OperationRequest } from '../../src/operations/index.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { BatchDoc, ClaimDoc, ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import { HistoryAudit, type RecordedMove, type SeededCampaign } from './audit-history.ts';
import { UndoAudit } from './audit-undos.ts';
import { groupBy } from './group-by.ts';
import type { Context } from '../../src/context.ts';
import { idsOf, requestOf } from './raw.ts';

/** What somebody asked for, and what they were told, as often as they asked. */
export interface AskedFor {
  readonly id: string;
  readonly campaignId: string;
  readonly told: readonly Answer[];
  /** They asked that what has this id be stopped. */
  readonly stops?: true;
}

export type Answer =
  | { readonly receipt: Receipt; readonly outcome?: 'created' | 'exists'; readonly conversationIds?: readonly string[] }
  | { readonly code: string };

export interface Audited {
  /** What does not hold, in words; empty when all does. */
  readonly violations: readonly string[];
  readonly checked: Readonly<typeof NONE_CHECKED>;
}

/** `operations` are all but claims, undos among them; `cancelled` and `reopened` are any that were. */
const NONE_CHECKED = {
  conversations: 0,
  moves: 0,
  operations: 0,
  claims: 0,
  batches: 0,
  undos: 0,
  cancelled: 0,
  reopened: 0,
};

/**
 * Holds everything that the database says against everything that was asked and told, by raw queries only. To be called
 * when nothing is going on any more. `isWorldStill`: no other program paused texters or opted contacts out meanwhile.
 */
export async function audit(
  { context }: { readonly context: Pick<Context, 'database'> },
  campaigns: readonly SeededCampaign[],
  asked: readonly AskedFor[],
  { isWorldStill = true }: { readonly isWorldStill?: boolean } = {},
): Promise<Audited> {
  const violations: string[] = [];
  const checked = { ...NONE_CHECKED };
  for (const campaign of campaigns) {
    const of = await CampaignAudit.of(context, campaign, isWorldStill);
    violations.push(...of.run(asked.filter(({ campaignId }) => campaignId === campaign.campaignId)));
    for (const name of Object.keys(checked) as (keyof typeof checked)[]) checked[name] += of.checked[name];
  }
  return { violations, checked };
}

class CampaignAudit {
  private readonly campaign: SeededCampaign;
  private readonly conversations: ReadonlyMap<string, ConversationDoc>;
  private readonly operations: readonly OperationDoc[];
  private readonly claims: readonly ClaimDoc[];
  private readonly batches: ReadonlyMap<string, BatchDoc[]>;
  private readonly moves: readonly RecordedMove[];
  private readonly operationCount: number;
  private readonly isWorldStill: boolean;
  private readonly violations: string[] = [];

  private constructor(campaign: SeededCampaign, found: Found) {
    this.campaign = campaign;
    this.conversations = new Map(found.conversations.map((doc) => [doc._id.toHexString(), doc]));
    this.operations = found.operations.filter(({ request }) => !isClaim(request));
    this.claims = found.claims.filter(({ request }) => isClaim(request));
    this.operationCount = found.operationCount;
    this.isWorldStill = found.isWorldStill;
    this.batches = groupBy(found.batches, ({ operationId }) => operationId);
    this.moves = [
      ...found.batches.filter(({ state }) => state === 'applied').flatMap(movesOf),
      ...this.claims.flatMap(grantsOf),
    ];
  }

  static async of(
    { database }: Pick<Context, 'database'>,
    campaign: SeededCampaign,
    isWorldStill: boolean,
  ): Promise<CampaignAudit> {
    const { campaignId } = campaign;
    const doc = await database.campaigns.findOne({ _id: campaignId });
    return new CampaignAudit(campaign, {
      conversations: await database.conversations.find({ campaignId }).toArray(),
      operations: await database.operations.find({ campaignId }, { sort: { sequence: 1 } }).toArray(),
      claims: await database.claims.find({ campaignId }).toArray(),
      batches: await database.batches.find({ campaignId }, { sort: { _id: 1 } }).toArray(),
      operationCount: doc?.operationCount ?? 0,
      isWorldStill,
    });
  }

  get checked(): Audited['checked'] {
    const all = [...this.operations, ...this.claims];
    return {
      conversations: this.conversations.size,
      moves: this.moves.length,
      operations: this.operations.length,
      claims: this.claims.length,
      batches: [...this.batches.values()].flat().length,
      undos: this.operations.filter(({ request, state }) => request.kind === 'undo' && state !== 'failed').length,
      cancelled: all.filter(({ state }) => state === 'cancelled').length,
      reopened: all.filter(({ reopened }) => reopened !== undefined).length,
    };
  }

  run(asked: readonly AskedFor[]): readonly string[] {
    const { campaign, conversations, moves } = this;
    const { operations, claims, batches, isWorldStill } = this;
    this.violations.push(...new HistoryAudit(campaign, conversations, moves).run());
    this.violations.push(...new UndoAudit({ conversations, operations, claims, batches, moves, isWorldStill }).run());
    for (const operation of this.operations) this.holdOperation(operation);
    for (const claim of this.claims) this.holdClaim(claim);
    this.holdOrder();
    this.holdAsked(asked);
    return this.violations;
  }

  /** Ended, with one receipt, which is what its batches say, within what was asked for. */
  private holdOperation(operation: OperationDoc): void {
    const { _id: id, state, receipt, campaignLock } = operation;
    if (!isEnded(state)) return this.wrong(`operation ${id} has not ended: ${state}`);
    if (campaignLock !== undefined) this.wrong(`operation ${id} has ended and keeps the campaign lock`);
    const batches = this.batches.get(id) ?? [];
    this.holdBatches(operation, batches);
    this.holdStop(operation, batches);
    const applied = batches.filter((batch) => batch.state === 'applied');
    const moved = count(applied.flatMap(({ moves }) => moves));
    const skipped = count(applied.flatMap(({ skips }) => skips));
    if (!receipt) {
      // Refused before anything was planned.
      if (state !== 'failed' || moved > 0) this.wrong(`operation ${id} ended as ${state} without a receipt`);
      return;
    }
    const said = { moved: receipt.moved, skipped: receipt.selected - receipt.moved };
    if (said.moved !== moved || said.skipped !== skipped) {
      this.wrong(`operation ${id} says ${show(said)}, its batches ${show({ moved, skipped })}`);
    }
    for (const [list, total] of sums(receipt)) {
      const expected = list === 'skipped' ? skipped : moved;
      if (total !== expected)
        this.wrong(`operation ${id}: ${list} of its receipt sums up to ${total}, not ${expected}`);
    }
    const limit = limitOf(requestOf(operation));
    if (moved > limit) this.wrong(`operation ${id} moved ${moved}, asked for at most ${limit}`);
  }

  /** Numbered without a gap, closed by a endMarker, none left planned, and no conversation twice. */
  private holdBatches({ _id: id, receipt }: OperationDoc, batches: readonly BatchDoc[]): void {
    if (batches.some(({ number }, at) => number !== at + 1)) this.wrong(`operation ${id} misses a batch`);
    if (batches.some(({ state }) => state === 'planned')) this.wrong(`operation ${id} left a batch planned`);
    const endMarkers = batches.flatMap(({ state }, at) => (state === 'end-marker' ? [at] : []));
    if (receipt && (endMarkers.length !== 1 || endMarkers[0] !== batches.length - 1))
      this.wrong(`operation ${id} is not isListEnded once, at its end`);
    const groups = batches.flatMap(({ moves, skips }) => [...moves, ...skips]);
    if (groups.some((group) => group.count !== group.conversationIds.length))
      this.wrong(`operation ${id} miscounts a group`);
    const moved = idsOf(batches.filter(({ state }) => state === 'applied').flatMap(({ moves }) => moves));
    if (new Set(moved).size !== moved.length) this.wrong(`operation ${id} moved a conversation twice`);
  }

  /** Where it was stopped, and only there, something is left: what was planned, and no more than was asked for. */
  private holdStop(operation: OperationDoc, batches: readonly BatchDoc[]): void {
    const { _id: id, state, cancellation, receipt } = operation;
    const isCancelled = state === 'cancelled';
    if ((cancellation !== null) !== isCancelled) this.wrong(`operation ${id} ended as ${state}, cancelled or not`);
    const dropped = batches.filter((batch) => batch.state === 'dropped');
    if (state === 'done' && dropped.length > 0) this.wrong(`operation ${id} is done and dropped a batch`);
    const left = receipt?.left ?? null;
    if ((left !== null) !== isCancelled) this.wrong(`operation ${id} ended as ${state} and left ${left}`);
    if (!receipt || left === null) return;
    if (receipt.shortBecause !== 'stopped') this.wrong(`operation ${id} was cancelled, and was not stopped`);
    const room = Math.max(0, limitOf(requestOf(operation)) - receipt.moved);
    const planned = count(dropped.flatMap(({ moves, skips }) => [...moves, ...skips]));
    if (left > room) this.wrong(`operation ${id} left ${left}, and could have moved ${room} at most`);
    if (left < Math.min(planned, room)) this.wrong(`operation ${id} left ${left}, and ${planned} were planned`);
  }

  private holdClaim({ _id: id, state, request, granted, receipt, error, cancellation, waiting }: ClaimDoc): void {
    if (!isEnded(state) || waiting) return this.wrong(`claim ${id} has not ended: ${state}`);
    const ending = error ? 'failed' : cancellation ? 'cancelled' : 'done';
    if (state !== ending) this.wrong(`claim ${id} ended as ${state}`);
    if ((receipt?.left ?? null) !== (cancellation ? 0 : null)) this.wrong(`claim ${id} left ${receipt?.left}`);
    if (error && granted.length > 0) this.wrong(`claim ${id} was refused and given ${granted.length}`);
    if (!error && receipt?.moved !== granted.length)
      this.wrong(`claim ${id} says ${receipt?.moved}, was given ${granted.length}`);
    const { batchMax, openMax } = this.campaign.rules;
    const most = Math.min(request.count ?? batchMax, batchMax, openMax);
    if (granted.length > most) this.wrong(`claim ${id} was given ${granted.length}, at most ${most} were due`);
  }

  /** Bulk operations have numbers of their own, and ran one after the other, in that order. */
  private holdOrder(): void {
    const bulk = this.operations.filter(({ sequence }) => sequence > 0);
    // One that was reopened got a new number each time.
    const numbers = bulk.reduce((sum, { reopened = 0 }) => sum + 1 + reopened, 0);
    if (new Set(bulk.map(({ sequence }) => sequence)).size !== bulk.length || numbers !== this.operationCount) {
      this.wrong(`${this.operationCount} operations were numbered, ${numbers} are in the ledger`);
    }
    const ran = bulk.filter(({ plan, reopened }) => plan !== null && reopened === undefined);
    for (const [at, { _id: id, startedAt }] of ran.entries()) {
      const before = ran[at - 1];
      if (before?.endedAt && startedAt && startedAt < before.endedAt) {
        this.wrong(
          `operation ${id} started at ${show(startedAt)}, before ${before._id} ended at ${show(before.endedAt)}`,
        );
      }
    }
  }

  /** Nothing asked for is missing, nothing is there that nobody asked for, and all were told what the ledger says. */
  private holdAsked(all: readonly AskedFor[]): void {
    const ledger = new Map<string, Ending>([...this.operations, ...this.claims].map((doc) => [doc._id, doc]));
    const asked = all.filter(({ stops }) => !stops);
    const stopped = groupBy(
      all.filter(({ stops }) => stops),
      ({ id }) => id,
    );
    const known = new Set(asked.map(({ id }) => id));
    for (const [id, doc] of ledger) {
      if (!known.has(id)) this.wrong(`nobody asked for ${id}`);
      this.holdToldOfStop(id, stopped.get(id) ?? [], doc);
    }
    for (const { id, told } of asked) {
      const doc = ledger.get(id);
      if (!doc) this.wrong(`${id} is not in the ledger`);
      if (told.length === 0) this.wrong(`${id} was never answered`);
      const makers = told.filter((answer) => 'outcome' in answer && answer.outcome === 'created');
      if (makers.length > 1) this.wrong(`${id} was created ${makers.length} times`);
      for (const answer of told) if (doc) this.holdAnswer(id, answer, doc);
    }
  }

  /** Nothing stops by itself; whoever asked for it was told what became of it, unless it came before what it was to stop. */
  private holdToldOfStop(id: string, asked: readonly AskedFor[], { state, receipt, reopened }: Ending): void {
    if (state === 'cancelled' && asked.length === 0) this.wrong(`nobody asked to stop ${id}`);
    if (asked.some(({ told }) => told.length === 0)) this.wrong(`whoever asked to stop ${id} was never answered`);
    for (const answer of asked.flatMap(({ told }) => told)) {
      const told = 'code' in answer ? answer.code : show(answer.receipt);
      if (told === 'unknown-operation' || (told === 'operation-ended' && reopened !== undefined)) continue;
      const kept = state === 'cancelled' ? show(receipt) : 'operation-ended';
      if (told !== kept) this.wrong(`whoever asked to stop ${id} was told ${told}, the ledger says ${kept}`);
    }
  }

  private holdAnswer(id: string, answer: Answer, { receipt, error }: Ending): void {
    const told = 'code' in answer ? answer.code : show(answer.receipt);
    const kept = error?.code ?? show(receipt);
    if (told !== kept) this.wrong(`${id} was told ${told}, the ledger says ${kept}`);
    if (!('conversationIds' in answer)) return;
    const granted = this.claims.find(({ _id }) => _id === id)?.granted.map((each) => each.toHexString());
    if (show(granted) !== show(answer.conversationIds))
      this.wrong(`claim ${id} was told another list than the ledger's`);
  }

  private wrong(what: string): void {
    this.violations.push(`${this.campaign.campaignId}: ${what}`);
  }
}

type Ending = Pick<OperationDoc, 'receipt' | 'error' | 'state' | 'reopened'>;

interface Found {
  readonly conversations: readonly ConversationDoc[];
  readonly operations: readonly OperationDoc[];
  readonly claims: readonly ClaimDoc[];
  readonly batches: readonly BatchDoc[];
  readonly operationCount: number;
  readonly isWorldStill: boolean;
}

function isClaim(request: { readonly kind: string }): boolean {
  return request.kind === 'self-assign';
}

function movesOf({ operationId, moves }: BatchDoc): RecordedMove[] {
  return moves.flatMap((group) =>
    idsOf([group]).map((conversationId) => ({ operationId, conversationId, from: group.from, to: group.to })),
  );
}

function grantsOf({ _id: operationId, granted, request }: ClaimDoc): RecordedMove[] {
  const move = { operationId, from: null, to: request.texterId };
  return granted.map((id) => ({ ...move, conversationId: id.toHexString() }));
}

/** The most that a request may move. */
function limitOf(request: OperationRequest): number {
  switch (request.kind) {
    case 'reassign':
      return request.count ?? Infinity;
    case 'unassign':
      return request.count ?? request.confirm ?? 0;
    case 'reassign-one':
    case 'unassign-one':
      return 1;
    case 'undo':
      return Infinity;
  }
}

function sums({ skipped, bySource, byTarget, byStatus }: Receipt): [string, number][] {
  return Object.entries({ skipped, bySource, byTarget, byStatus }).map(([list, rows]) => [list, count(rows)]);
}

function count(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((sum, row) => sum + row.count, 0);
}

/** Keys in one order: a receipt comes by way of two stores. */
function show(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
