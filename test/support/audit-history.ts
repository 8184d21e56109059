import type { SelfAssignSettings } from '../../src/claims/claim.ts';
import { TRAIL_MOVES_MAX, type Holder } from '../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { groupBy } from './group-by.ts';

/** A campaign as it was before anything was asked of it. */
export interface SeededCampaign {
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  readonly rules: SelfAssignSettings;
  /** Who held each conversation. */
  readonly holders: ReadonlyMap<string, Holder>;
}

/** A move as the ledger has it: a batch's, or a claim's grant. */
export interface LedgerMove {
  readonly operationId: string;
  readonly conversationId: string;
  readonly from: Holder;
  readonly to: Holder;
}

/** Each conversation against the moves that the ledger has of it. Conversations begin without a trail. */
export class TrailAudit {
  private readonly campaign: SeededCampaign;
  private readonly conversations: ReadonlyMap<string, ConversationDoc>;
  private readonly ledger: ReadonlyMap<string, readonly LedgerMove[]>;
  private readonly violations: string[] = [];

  constructor(
    campaign: SeededCampaign,
    conversations: ReadonlyMap<string, ConversationDoc>,
    moves: readonly LedgerMove[],
  ) {
    this.campaign = campaign;
    this.conversations = conversations;
    this.ledger = groupBy(moves, ({ conversationId }) => conversationId);
  }

  run(): readonly string[] {
    for (const id of this.campaign.holders.keys()) if (!this.conversations.has(id)) this.wrong(id, 'is gone');
    for (const id of this.ledger.keys())
      if (!this.campaign.holders.has(id)) this.wrong(id, 'was moved and never seeded');
    for (const [id, doc] of this.conversations) {
      this.holdHolder(id, doc);
      this.holdMoves(id, doc);
    }
    return this.violations;
  }

  /** Held by one texter of the campaign or by nobody, and by whom its moves led to, one after the other. */
  private holdHolder(id: string, { assigneeId, assignmentVersion, trail, lastOperationId }: ConversationDoc): void {
    const seeded = this.campaign.holders.get(id);
    if (seeded === undefined) return this.wrong(id, 'was never seeded');
    if (assigneeId !== null && !this.campaign.texterIds.includes(assigneeId))
      this.wrong(id, `is held by ${assigneeId}`);
    if (trail.length !== Math.min(assignmentVersion, TRAIL_MOVES_MAX)) {
      this.wrong(id, `has version ${assignmentVersion} and a trail of ${trail.length}`);
    }
    const isWhole = assignmentVersion === trail.length;
    const holders = [isWhole ? seeded : (trail[0]?.from ?? null), ...trail.map(({ to }) => to)];
    const broken = trail.findIndex(({ from }, at) => from !== holders[at]);
    if (broken >= 0) this.wrong(id, `has a broken trail at ${broken}`);
    if (assigneeId !== holders.at(-1)) this.wrong(id, `is held by ${assigneeId}, its trail leads to ${holders.at(-1)}`);
    if (lastOperationId !== (trail.at(-1)?.operationId ?? null)) this.wrong(id, `was moved last by ${lastOperationId}`);
  }

  /** Every move that it knows of stands in the ledger, and every move in the ledger was made, once. */
  private holdMoves(id: string, { assignmentVersion, trail }: ConversationDoc): void {
    const moves = this.ledger.get(id) ?? [];
    const byOperation = new Map(moves.map((move) => [move.operationId, move]));
    if (moves.length !== assignmentVersion) {
      this.wrong(id, `has version ${assignmentVersion}, the ledger has ${moves.length} moves of it`);
    }
    if (byOperation.size !== moves.length) this.wrong(id, 'was moved twice by one operation');
    for (const { operationId, from, to } of trail) {
      const move = byOperation.get(operationId);
      if (move?.from !== from || move.to !== to)
        this.wrong(id, `was moved by ${operationId} otherwise than its ledger says`);
    }
  }

  private wrong(id: string, what: string): void {
    this.violations.push(`${this.campaign.campaignId}: conversation ${id} ${what}`);
  }
}
