import type { Assignee, Candidate, HistoryMove, Position, Status } from '../domain/conversation.ts';

/** The conversations of one assignee, or of all, in one status. In the order of selection they are one range of an index. */
export interface ConversationRange {
  readonly campaignId: string;
  /** Absent for the conversations of all assignees, the pool and unknown assignees included. */
  readonly assigneeId?: Assignee;
  readonly status: Status;
}

export interface AssigneeCount {
  readonly assigneeId: Assignee;
  /** Counts of a whole campaign also have the statuses that are missing (`null`) or unknown. */
  readonly status: Status;
  readonly count: number;
}

/** Each of these counts sees one moment. */
export interface ConversationCounts {
  /** Counts the conversations of these assignees in these statuses, up to `limit`. */
  count(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    limit?: number,
  ): Promise<number>;
  /**
   * Counts the conversations of these assignees in these statuses that an operation has not moved. Reads them. All statuses
   * include unknown ones.
   */
  countNotMoved(
    campaignId: string,
    assignees: readonly Assignee[],
    statuses: readonly Status[],
    operationId: string,
  ): Promise<number>;
  /** Counts the conversations of these assignees in the status of a position that come after the position. */
  countAfter(campaignId: string, assignees: readonly Assignee[], after: Position): Promise<number>;
  /**
   * Counts the conversations of a campaign by assignee and status: all, or those of these assignees in these statuses. Reads
   * the keys of one index and no document.
   */
  countByAssignee(
    campaignId: string,
    among?: { readonly assignees: readonly Assignee[]; readonly statuses: readonly Status[] },
  ): Promise<AssigneeCount[]>;
  /** Counts the conversations of contacts who opted out, by assignee and status: of these assignees, or of all. */
  countOptedOut(campaignId: string, assignees?: readonly Assignee[]): Promise<AssigneeCount[]>;
  /** The same for the conversations that do not say whether the contact opted out. They are incomplete. */
  countWithoutOptOut(campaignId: string, assignees?: readonly Assignee[]): Promise<AssigneeCount[]>;
}

/** The reads that operations are planned with. */
export interface ConversationStore extends ConversationCounts {
  /**
   * Returns the first `limit` conversations of a range after a position, in the order of selection. Leaves out those that
   * `operationId` has moved already. `after` must be a position in the status of the range; `null` starts the range.
   */
  readPage(range: ConversationRange, after: Position | null, limit: number, operationId: string): Promise<Candidate[]>;
  /** The same in the opposite order: the last `limit` conversations of a range before a position, the last one first. */
  readPageBefore(
    range: ConversationRange,
    before: Position | null,
    limit: number,
    operationId: string,
  ): Promise<Candidate[]>;
  /**
   * Returns a page of the conversations of these assignees whose status is missing or unknown, in any order. All of them are
   * incomplete. Leaves out those that `operationId` has moved already. For more than a hundred assignees, the page has the
   * conversations of all. `page` counts from 0. Returns `undefined` after the last page.
   */
  readUnknown(
    campaignId: string,
    assignees: readonly Assignee[],
    page: number,
    operationId: string,
  ): Promise<Candidate[] | undefined>;
  findOne(campaignId: string, conversationId: string): Promise<Candidate | undefined>;
  /** Returns those of these conversations that exist on the campaign, in any order. */
  findMany(campaignId: string, conversationIds: readonly string[]): Promise<Candidate[]>;
  /**
   * Returns the texter ids that conversations of the campaign are assigned to, sorted: all, or those of `among`. Some may not
   * be on the campaign. Skips through an index from one id to the next.
   */
  listAssignees(campaignId: string, among?: readonly string[]): Promise<string[]>;
  /** Runs reads that must agree with each other: all see the same moment. Await the first read before the others. */
  atOneMoment<Result>(read: (moment: Moment) => Promise<Result>): Promise<Result>;
  /** Opens a moment for several reads that know nothing of each other. The server may lose it: see `SharedMoments`. */
  openMoment(): OpenMoment;
}

/** All conversations at one moment. Counts of a whole campaign are read once. */
export interface Moment extends ConversationStore {
  /** The time of the database server just before the first read. */
  readonly at: Date;
}

export interface OpenMoment {
  readonly moment: Moment;
  close(): Promise<void>;
}

/** A conversation as people see it. */
export interface ConversationRecord {
  readonly conversationId: string;
  readonly externalId: string | null;
  readonly name: string;
  readonly phone: string;
  /** `null` when the document has none, or one that is unknown. */
  readonly status: Status | null;
  readonly assigneeId: Assignee;
  /** `null` when the document does not say it. */
  readonly optedOut: boolean | null;
  readonly waitingSince: Date;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
  readonly assignedAt: Date | null;
  readonly createdAt: Date;
}

export interface ConversationWithHistory extends ConversationRecord {
  readonly assignmentVersion: number;
  readonly lastOperationId: string | null;
  readonly history: readonly HistoryMove[];
}

/** A conversation that a text names, and what it names it by. */
export interface TextMatch {
  readonly conversationId: string;
  readonly by: 'id' | 'external id' | 'contact' | 'phone number';
}

/** The reads that people see. Operations do not use them. */
export interface ViewStore {
  /** Returns the conversations with these ids that exist, in any order. */
  findByIds(campaignId: string, conversationIds: readonly string[]): Promise<ConversationRecord[]>;
  /**
   * Finds every conversation that has one of these texts as its id, its external id or the exact name of its contact.
   * Returns at most `limit` matches of each kind.
   */
  findByText(campaignId: string, texts: readonly string[], limit: number): Promise<TextMatch[]>;
  /** Finds conversations by the name of the contact in any case. Reads the names of the whole campaign. */
  findByNameInAnyCase(campaignId: string, name: string, limit: number): Promise<TextMatch[]>;
  /** Finds conversations by phone number, as it is stored. */
  findByPhone(campaignId: string, phone: string, limit: number): Promise<TextMatch[]>;
  /** Finds conversations whose phone number ends with these digits. Reads the numbers of the whole campaign. */
  findByLastDigits(campaignId: string, digits: string, limit: number): Promise<TextMatch[]>;
  findWithHistory(campaignId: string, conversationId: string): Promise<ConversationWithHistory | undefined>;
  /** Yields every conversation of a campaign exactly once, even while conversations move. */
  everyConversation(campaignId: string): AsyncIterable<ConversationRecord>;
}

/** A campaign with documents that other programs have left incomplete. */
export interface IncompleteCampaign {
  readonly campaignId: string;
  /** The conversations that operations skip. */
  readonly incomplete: number;
  /** The texters that count as paused, because their documents do not say whether they are active. */
  readonly texters: number;
  /** The conversations of texters who are not on the campaign. */
  readonly withoutTexter: number;
}

/** What nobody can know but the people of the campaign. Without a choice, such conversations stay incomplete. */
export interface RepairChoices {
  readonly status?: Status;
  readonly optedOut?: boolean;
}

export interface Repair extends IncompleteCampaign {
  /** The number of fields that were written. */
  readonly changed: number;
}

export interface CompletenessStore {
  /** Checks the newest campaigns. Reads ranges of indexes, and no more than it counts. */
  findIncomplete(): Promise<IncompleteCampaign[]>;
  /** Writes the default of every missing field of a campaign, its texters and conversations. Safe to repeat. */
  repair(campaignId: string, choices: RepairChoices): Promise<Repair>;
}
