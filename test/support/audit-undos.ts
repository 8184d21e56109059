import type { BatchDoc, ClaimDoc, ConversationDoc, OperationDoc } from '../../src/mongo/documents.ts';
import type { RecordedMove } from './audit-history.ts';
import { groupBy } from './group-by.ts';
import { idsOf, requestOf } from './raw.ts';

/** What a campaign's database has when nothing is going on any more. */
interface Found {
  readonly conversations: ReadonlyMap<string, ConversationDoc>;
  readonly operations: readonly OperationDoc[];
  readonly claims: readonly ClaimDoc[];
  /** By operation. */
  readonly batches: ReadonlyMap<string, readonly BatchDoc[]>;
  readonly moves: readonly RecordedMove[];
  /** Whether nobody but Baton changed anything: then each skip has a reason that can still be seen. */
  readonly isWorldStill: boolean;
}

/** An undo, and what there was to give back. */
interface Undo {
  readonly doc: OperationDoc;
  readonly undone: OperationDoc | ClaimDoc;
  readonly due: ReadonlyMap<string, RecordedMove>;
}

const REFUSALS = ['operation-running', 'unknown-operation'];

/**
 * Each undo against what it undid: what it moved is exactly what the other had moved last, the other way; what it left
 * where it was had been touched since, or may not be given back.
 */
export class UndoAudit {
  private readonly found: Found;
  private readonly ledger: ReadonlyMap<string, OperationDoc | ClaimDoc>;
  private readonly moves: ReadonlyMap<string, readonly RecordedMove[]>;
  private readonly violations: string[] = [];

  constructor(found: Found) {
    this.found = found;
    this.ledger = new Map([...found.operations, ...found.claims].map((doc) => [doc._id, doc]));
    this.moves = groupBy(found.moves, ({ operationId }) => operationId);
  }

  run(): readonly string[] {
    for (const doc of this.found.operations) {
      const request = requestOf(doc);
      if (request.kind !== 'undo') continue;
      const { undoes } = request;
      const undone = this.ledger.get(undoes);
      const due = new Map((this.moves.get(undoes) ?? []).map((move) => [move.conversationId, move]));
      if (doc.error) this.holdRefusal(doc);
      else if (undone) this.hold({ doc, undone, due });
      // Stopped before anybody looked what it was to undo, it was not refused.
      else if (doc.receipt?.selected !== 0)
        this.wrong(doc, `gave back what ${undoes} had moved, which is not in the ledger`);
    }
    return this.violations;
  }

  private holdRefusal(doc: OperationDoc): void {
    if (doc.error && this.found.isWorldStill && !REFUSALS.includes(doc.error.code))
      this.wrong(doc, `was refused as ${doc.error.code}`);
  }

  private hold(undo: Undo): void {
    const { doc, due } = undo;
    const applied = (this.found.batches.get(doc._id) ?? []).filter(({ state }) => state === 'applied');
    const skips = applied.flatMap((batch) => batch.skips);
    const moved = this.moves.get(doc._id) ?? [];
    for (const move of moved) this.holdMove(undo, move);
    for (const skip of skips) for (const id of idsOf([skip])) this.holdSkip(undo, id, skip.reason);
    const handled = [...moved.map(({ conversationId }) => conversationId), ...idsOf(skips)];
    if (handled.some((id) => !due.has(id))) this.wrong(doc, 'looked at what it was not to undo');
    if (new Set(handled).size !== handled.length) this.wrong(doc, 'looked at a conversation twice');
    this.holdNumber(undo, handled.length);
  }

  /** All that there was is in its receipt, or was left. What was reopened moved more only after it was undone. */
  private holdNumber({ doc, undone, due }: Undo, handled: number): void {
    if (undone.reopened !== undefined) return;
    const left = doc.receipt?.left ?? 0;
    // Stopped before its turn came, with what it was to undo still going on.
    if (doc.plan === null && left === 0) return;
    if (handled + left !== due.size) this.wrong(doc, `looked at ${handled} and left ${left} of ${due.size}`);
  }

  private holdMove({ doc, undone, due }: Undo, { conversationId: id, from, to }: RecordedMove): void {
    const was = due.get(id);
    if (was?.to !== from || was.from !== to) this.wrong(doc, `moved ${id} to where it had not been`);
    const conversation = this.found.conversations.get(id);
    const history = conversation?.history ?? [];
    const at = history.findIndex(({ operationId }) => operationId === doc._id);
    const isFirstKept = at === 0 && conversation?.assignmentVersion !== history.length;
    if (at < 0 || isFirstKept) return;
    const before = history[at - 1]?.operationId;
    if (before !== undone._id) this.wrong(doc, `gave ${id} back, which ${before ?? 'nobody'} had moved last`);
  }

  private holdSkip({ doc, undone, due }: Undo, id: string, reason: BatchDoc['skips'][number]['reason']): void {
    const { history = [], optedOut } = this.found.conversations.get(id) ?? {};
    const isToPool = due.get(id)?.from === null;
    if (reason === 'opted-out' && optedOut && !isToPool) return;
    if (reason !== 'assignee-changed' && !this.found.isWorldStill) return;
    if (reason !== 'assignee-changed') return this.wrong(doc, `left ${id} where it was: ${reason}`);
    const at = history.findIndex(({ operationId }) => operationId === undone._id);
    // Its move is long forgotten: others came after it.
    if (at < 0) return;
    const next = history[at + 1];
    if (!next || !doc.endedAt || next.at > doc.endedAt) this.wrong(doc, `left ${id}, which nobody had touched`);
  }

  private wrong({ _id, campaignId }: OperationDoc, what: string): void {
    this.violations.push(`${campaignId}: undo ${_id} ${what}`);
  }
}
