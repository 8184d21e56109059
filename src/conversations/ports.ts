import type { Assignee, Candidate, Status } from '../domain/conversation.ts';
import type { Position } from '../domain/selection.ts';

/** One assignee's conversations in one status: a single range of the index. */
export interface Range {
  readonly campaignId: string;
  readonly assigneeId: Assignee;
  readonly status: Status;
}

/** A key within a range: everything up to it has been read. */
export interface RangeKey {
  readonly waitingSince: number;
  readonly id: string;
}

export interface AssigneeCount {
  readonly assigneeId: Assignee;
  readonly status: Status;
  readonly count: number;
}

export interface ConversationStore {
  /** The next of a range after a key, longest waiting first, without those that `operationId` has moved before. */
  readPage(range: Range, after: RangeKey | null, limit: number, operationId: string): Promise<Candidate[]>;
  findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined>;
  /** How many these assignees have in these statuses; counting stops at `limit`. */
  count(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    limit?: number,
  ): Promise<number>;
  /** How many these assignees have in the key's status behind the key: all that a reading would still come to in it. */
  countAfter(campaignId: string, assignees: readonly Assignee[], after: Position): Promise<number>;
  /** All of a campaign, by assignee and status. */
  countByAssignee(campaignId: string): Promise<AssigneeCount[]>;
}
