import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import { HISTORY_MOVES_MAX, type Assignee } from '../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { groupBy } from './group-by.ts';

/** A campaign as it was before anything was asked of it. */
export interface SeededCampaign {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  readonly rules: SelfAssignSettings;
  /** Who held each conversation. */
  readonly assignees: ReadonlyMap<string, Assignee>;
}

/** A move as the ledger has it: a batch's, or a claim's grant. */
export interface RecordedMove {
  readonly operationId: string;
  readonly conversationId: string;
  readonly from: Assignee;
  readonly to: Assignee;
}

/** Each conversation against the moves that the ledger has of it. Conversations begin without a history. */
export class HistoryAudit {
  private readonly campaign: SeededCampaign;
  private readonly conversations: ReadonlyMap<string, ConversationDoc>;
  private readonly ledger: ReadonlyMap<string, readonly RecordedMove[]>;
  private readonly violations: string[] = [];

  constructor(
    campaign: SeededCampaign,
    conversations: ReadonlyMap<string, ConversationDoc>,
    moves: readonly RecordedMove[],
  ) {
    this.campaign = campaign;
    this.conversations = conversations;
    this.ledger = groupBy(moves, ({ conversationId }) => conversationId);
  }

  run(): readonly string[] {
    for (const id of this.campaign.assignees.keys()) if (!this.conversations.has(id)) this.wrong(id, 'is gone');
    for (const id of this.ledger.keys())
      if (!this.campaign.assignees.has(id)) this.wrong(id, 'was moved and never seeded');
    for (const [id, doc] of this.conversations) {
      this.checkAssignee(id, doc);
      this.holdMoves(id, doc);
    }
    return this.violations;
  }

  /** Held by one texter of the campaign or by nobody, and by whom its moves led to, one after the other. */
  private checkAssignee(
    id: string,
    { assigneeId, assignmentVersion, history, lastOperationId }: ConversationDoc,
  ): void {
    const seeded = this.campaign.assignees.get(id);
    if (seeded === undefined) return this.wrong(id, 'was never seeded');
    if (assigneeId !== null && !this.campaign.texterIds.includes(assigneeId))
      this.wrong(id, `is held by ${assigneeId}`);
    if (history.length !== Math.min(assignmentVersion, HISTORY_MOVES_MAX)) {
      this.wrong(id, `has version ${assignmentVersion} and a history of ${history.length}`);
    }
    const isWhole = assignmentVersion === history.length;
    const assignees = [isWhole ? seeded : (history[0]?.from ?? null), ...history.map(({ to }) => to)];
    const broken = history.findIndex(({ from }, at) => from !== assignees[at]);
    if (broken >= 0) this.wrong(id, `has a broken history at ${broken}`);
    if (assigneeId !== assignees.at(-1))
      this.wrong(id, `is held by ${assigneeId}, its history leads to ${assignees.at(-1)}`);
    if (lastOperationId !== (history.at(-1)?.operationId ?? null))
      this.wrong(id, `was moved last by ${lastOperationId}`);
  }

  /** Every move that it knows of stands in the ledger, and every move in the ledger was made, once. */
  private holdMoves(id: string, { assignmentVersion, history }: ConversationDoc): void {
    const moves = this.ledger.get(id) ?? [];
    const byOperation = new Map(moves.map((move) => [move.operationId, move]));
    if (moves.length !== assignmentVersion) {
      this.wrong(id, `has version ${assignmentVersion}, the ledger has ${moves.length} moves of it`);
    }
    if (byOperation.size !== moves.length) this.wrong(id, 'was moved twice by one operation');
    for (const { operationId, from, to } of history) {
      const move = byOperation.get(operationId);
      if (move?.from !== from || move.to !== to)
        this.wrong(id, `was moved by ${operationId} otherwise than its ledger says`);
    }
  }

  private wrong(id: string, what: string): void {
    this.violations.push(`${this.campaign.campaignId}: conversation ${id} ${what}`);
  }
}
