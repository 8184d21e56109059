import type { mongo } from 'mongoose';
import type { ClaimRequest } from '../claims/index.ts';
import type { SelfAssignSettings } from '../campaigns/index.ts';
import type { BatchState, Operation, Shortfall } from '../operations/index.ts';
import type { SkipReason } from '../domain/receipt.ts';
import type { Assignee, Status, HistoryMove } from '../domain/conversation.ts';

export interface CampaignDoc {
  _id: string;
  name: string;
  closed: boolean;
  selfAssign: SelfAssignSettings;
  /** Bulk operations accepted so far. */
  operationCount: number;
  /** Claims that ever waited. */
  waitingCount: number;
  /** Texters that ever joined. */
  texterCount: number;
  /** Where the next dealing begins, and the operation that said so. */
  rotation: { sequence: number; nextJoinedOrder: number };
  createdAt: Date;
}

export interface TexterDoc {
  _id: mongo.ObjectId;
  campaignId: string;
  texterId: string;
  name: string;
  active: boolean;
  joinedOrder: number;
  /** Counted up by each round of claims it is part of: two rounds that meet on a texter then conflict. */
  claimRounds: number;
  createdAt: Date;
}

export interface ConversationDoc {
  _id: mongo.ObjectId;
  campaignId: string;
  externalId: string | null;
  contact: { name: string; phone: string };
  assigneeId: Assignee;
  status: Status;
  waitingSince: Date;
  optedOut: boolean;
  assignmentVersion: number;
  assignedAt: Date | null;
  lastInboundAt: Date | null;
  lastOutboundAt: Date | null;
  lastOperationId: string | null;
  history: HistoryMove[];
  createdAt: Date;
}

/** What of a campaign's pool a claim can be given. */
export const CLAIMABLE = { assigneeId: null, status: 'not-started', optedOut: false } as const;

export interface OperationDoc extends Omit<Operation, 'operationId'> {
  _id: string;
  /** The campaign's id while a bulk operation runs: a unique index lets one have it at a time. */
  campaignLock?: string;
  /** Counted up by whoever closes its list of batches, who then conflicts with whoever reopens it at the same time. */
  stops?: number;
  /** Its batches are about to go, and it after them: it can no longer be reopened. */
  expiring?: true;
}

/** A claim lies in the same collection as other operations: their ids are one name space. */
export interface ClaimDoc extends Omit<OperationDoc, 'request' | 'plan' | 'campaignLock'> {
  request: ClaimRequest;
  granted: mongo.ObjectId[];
  /** Only while it waits. */
  waiting?: { sequence: number; until: Date };
}

export interface BatchDoc {
  /** See `batchId`: an operation's batches are one range of ids, in order. */
  _id: string;
  campaignId: string;
  operationId: string;
  number: number;
  state: BatchState;
  moves: { from: Assignee; to: Assignee; status: Status; count: number; conversationIds: mongo.ObjectId[] }[];
  skips: { reason: SkipReason; count: number; conversationIds: mongo.ObjectId[] }[];
  after: {
    position: { status: Status; waitingSince: Date; id: mongo.ObjectId } | null;
    loads: number[];
    planned: number;
  };
  /** Only where planned moves shortfallCount away. */
  shortfalls?: Shortfall[];
  plannedAt: Date;
  appliedAt: Date | null;
}

/** Room for more batches than the largest campaign has conversations. */
const BATCH_NUMBER_DIGITS = 8;

export function batchId(operationId: string, number: number): string {
  return `${operationId}:${String(number).padStart(BATCH_NUMBER_DIGITS, '0')}`;
}

/** The range of ids that {@link batchId} gives an operation. `;` follows `:`, and neither can stand in an id. */
export function batchIdsOf(operationId: string): { $gt: string; $lt: string } {
  return { $gt: `${operationId}:`, $lt: `${operationId};` };
}
