import type { BatchDoc, ClaimDoc, ConversationDoc, OperationDoc } from '../../../src/mongo/documents.ts';
import { idsOf, requestOf } from '../raw.ts';
import { groupBy, type CampaignRecords, type StoredMove } from './records.ts';

/** An undo, the undone operation, and the moves that were to be reversed, by conversation. */
interface Undo {
  readonly doc: OperationDoc;
  readonly undone: OperationDoc | ClaimDoc;
  readonly due: ReadonlyMap<string, StoredMove>;
}

const REFUSALS = ['operation-running', 'unknown-operation'];

interface UndoAuditOptions {
  /** False when only Baton changed the campaign, except for statuses and messages. Then more skip reasons can be checked. */
  readonly changedOutside: boolean;
  /** The conversations that another program moved away and back. */
  readonly movedOutside?: ReadonlySet<string>;
}

/**
 * Compares each undo with the operation that it undid. It must have reversed the moves after which nothing else moved the
 * conversation, and must have skipped all others.
 */
export class UndoAudit {
  private readonly records: CampaignRecords;
  private readonly changedOutside: boolean;
  private readonly movedOutside: ReadonlySet<string>;
  private readonly undoable: ReadonlyMap<string, OperationDoc | ClaimDoc>;
  private readonly moves: ReadonlyMap<string, readonly StoredMove[]>;
  private readonly violations: string[] = [];

  constructor(records: CampaignRecords, { changedOutside, movedOutside = new Set() }: UndoAuditOptions) {
    this.records = records;
    this.movedOutside = movedOutside;
    this.changedOutside = changedOutside;
    this.undoable = new Map([...records.operations, ...records.claims].map((doc) => [doc._id, doc]));
    this.moves = groupBy(records.moves, ({ operationId }) => operationId);
  }

  run(): readonly string[] {
    for (const doc of this.records.operations) {
      const request = requestOf(doc);
      if (request.kind !== 'undo') continue;
      const { undoes } = request;
      const undone = this.undoable.get(undoes);
      const due = new Map((this.moves.get(undoes) ?? []).map((move) => [move.conversationId, move]));
      if (doc.error) this.checkRefusal(doc);
      else if (undone) this.checkUndo({ doc, undone, due });
      // An undo that was cancelled before a worker began it was not checked, and so not refused.
      else if (doc.receipt?.selected !== 0) this.violation(doc, `undid ${undoes}, which is not stored`);
    }
    return this.violations;
  }

  private checkRefusal(doc: OperationDoc): void {
    if (doc.error && !this.changedOutside && !REFUSALS.includes(doc.error.code))
      this.violation(doc, `was refused with ${doc.error.code}`);
  }

  private checkUndo(undo: Undo): void {
    const { doc, due } = undo;
    const applied = (this.records.batches.get(doc._id) ?? []).filter(({ state }) => state === 'applied');
    const skips = applied.flatMap((batch) => batch.skips);
    const moved = this.moves.get(doc._id) ?? [];
    for (const move of moved) this.checkMove(undo, move);
    for (const skip of skips) for (const id of idsOf([skip])) this.checkSkip(undo, id, skip.reason);
    const handled = [...moved.map(({ conversationId }) => conversationId), ...idsOf(skips)];
    if (handled.some((id) => !due.has(id)))
      this.violation(doc, 'handled a conversation that the undone operation had not moved');
    if (new Set(handled).size !== handled.length) this.violation(doc, 'handled a conversation twice');
    this.checkCount(undo, handled.length);
  }

  /** Every conversation is in the receipt or left. A reopened operation moved more after its undo, so it is not checked. */
  private checkCount({ doc, undone, due }: Undo, handled: number): void {
    if (undone.reopened !== undefined) return;
    const left = doc.receipt?.left ?? 0;
    // An undo that was cancelled before it had the campaign lock counted nothing, because the undone operation still ran.
    if (doc.plan === null && left === 0) return;
    if (handled + left !== due.size) this.violation(doc, `handled ${handled} and left ${left} of ${due.size}`);
  }

  private checkMove({ doc, undone, due }: Undo, { conversationId: id, from, to }: StoredMove): void {
    const original = due.get(id);
    if (original?.to !== from || original.from !== to)
      this.violation(doc, `did not move ${id} back to its earlier assignee`);
    const conversation = this.records.conversations.get(id);
    const history = conversation?.history ?? [];
    const at = history.findIndex(({ operationId }) => operationId === doc._id);
    const isFirstKept = at === 0 && conversation?.assignmentVersion !== history.length;
    if (at < 0 || isFirstKept) return;
    const before = history[at - 1]?.operationId;
    if (before !== undone._id)
      this.violation(doc, `moved ${id} back, although ${before ?? 'no operation'} had moved it last`);
  }

  private checkSkip({ doc, undone, due }: Undo, id: string, reason: BatchDoc['skips'][number]['reason']): void {
    const { history = [], optedOut }: Partial<ConversationDoc> = this.records.conversations.get(id) ?? {};
    const isToPool = due.get(id)?.from === null;
    if (reason === 'opted-out' && optedOut && !isToPool) return;
    if (reason === 'worked-on') return this.checkWorkedOn(doc, id);
    if (reason !== 'assignee-changed' && this.changedOutside) return;
    if (reason !== 'assignee-changed') return this.violation(doc, `skipped ${id} with the wrong reason ${reason}`);
    const at = history.findIndex(({ operationId }) => operationId === undone._id);
    // The history no longer has the undone move, so later moves must have followed.
    if (at < 0 || this.movedOutside.has(id)) return;
    const next = history[at + 1];
    if (!next || !doc.endedAt || next.at > doc.endedAt)
      this.violation(doc, `skipped ${id}, which no other operation had moved`);
  }

  /** A later message or status can hide what the undo found, so only the request can be checked. */
  private checkWorkedOn(doc: OperationDoc, id: string): void {
    const request = requestOf(doc);
    if (request.kind === 'undo' && request.includeWorkedOn)
      this.violation(doc, `skipped ${id} as worked-on, although it was to include these`);
  }

  private violation({ _id, campaignId }: OperationDoc, what: string): void {
    this.violations.push(`${campaignId}: undo ${_id} ${what}`);
  }
}
