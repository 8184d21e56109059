import { HISTORY_MOVES_MAX } from '../../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../../src/mongo/documents.ts';
import { groupBy, type CampaignRecords, type SeededCampaign, type StoredMove } from './records.ts';

/** Compares each conversation with the stored moves. Conversations must have been seeded without a history. */
export class HistoryAudit {
  private readonly campaign: SeededCampaign;
  private readonly conversations: ReadonlyMap<string, ConversationDoc>;
  private readonly moves: ReadonlyMap<string, readonly StoredMove[]>;
  private readonly violations: string[] = [];

  constructor(campaign: SeededCampaign, { conversations, moves }: CampaignRecords) {
    this.campaign = campaign;
    this.conversations = conversations;
    this.moves = groupBy(moves, ({ conversationId }) => conversationId);
  }

  run(): readonly string[] {
    const { assignees } = this.campaign;
    for (const id of assignees.keys()) if (!this.conversations.has(id)) this.violation(id, 'is missing');
    for (const id of this.moves.keys()) if (!assignees.has(id)) this.violation(id, 'was moved but not seeded');
    for (const [id, doc] of this.conversations) {
      this.checkAssignee(id, doc);
      this.checkMoves(id, doc);
    }
    return this.violations;
  }

  /** The assignee is the pool or a texter of the campaign, and the one to which the history leads. */
  private checkAssignee(
    id: string,
    { assigneeId, assignmentVersion, history, lastOperationId }: ConversationDoc,
  ): void {
    const seeded = this.campaign.assignees.get(id);
    if (seeded === undefined) return this.violation(id, 'was not seeded');
    if (assigneeId !== null && !this.campaign.texterIds.includes(assigneeId))
      this.violation(id, `has the unknown assignee ${assigneeId}`);
    if (history.length !== Math.min(assignmentVersion, HISTORY_MOVES_MAX))
      this.violation(id, `has version ${assignmentVersion} and a history of ${history.length} moves`);
    const isComplete = assignmentVersion === history.length;
    const assignees = [isComplete ? seeded : (history[0]?.from ?? null), ...history.map(({ to }) => to)];
    const gap = history.findIndex(({ from }, at) => from !== assignees[at]);
    if (gap >= 0) this.violation(id, `has a history with a gap before move ${gap + 1}`);
    if (assigneeId !== assignees.at(-1))
      this.violation(id, `has the assignee ${assigneeId}, but its history leads to ${assignees.at(-1)}`);
    if (lastOperationId !== (history.at(-1)?.operationId ?? null))
      this.violation(id, `names ${lastOperationId} as its last operation, unlike its history`);
  }

  /** Every move of the history is stored, and every stored move was made once. */
  private checkMoves(id: string, { assignmentVersion, history }: ConversationDoc): void {
    const moves = this.moves.get(id) ?? [];
    const byOperation = new Map(moves.map((move) => [move.operationId, move]));
    if (moves.length !== assignmentVersion)
      this.violation(id, `has version ${assignmentVersion}, but ${moves.length} moves of it are stored`);
    if (byOperation.size !== moves.length) this.violation(id, 'was moved twice by one operation');
    for (const { operationId, from, to } of history) {
      const move = byOperation.get(operationId);
      if (move?.from !== from || move.to !== to)
        this.violation(id, `has a move of ${operationId} that is not stored with the operation`);
    }
  }

  private violation(id: string, what: string): void {
    this.violations.push(`${this.campaign.campaignId}: conversation ${id} ${what}`);
  }
}
