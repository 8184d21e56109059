import type { CampaignStore, TexterStore } from '../campaigns/index.ts';
import type { ClaimStore } from '../claims/index.ts';
import type { ConversationStore } from '../conversations/index.ts';
import type { Batch, Move, Skip, Shortfall } from './batch.ts';
import type { BatchState, Cancellation, OperationState } from '../domain/operation.ts';
import type { StoredError } from '../domain/stored-error.ts';
import type { Operation, Plan, Run } from './operation.ts';
import type { MoveCount, Receipt, SkipCount } from '../domain/receipt.ts';
import type { Recorded } from './undo-rules.ts';
import type { Guard, Outcome } from './evaluate.ts';

export interface OperationStore {
  find(operationId: string): Promise<Operation | undefined>;
  /** What an id stands for, be it a claim; nothing once it is being forgotten, since its batches may be half gone. */
  findRecorded(operationId: string): Promise<Recorded | undefined>;
  /**
   * Records it, or returns the one that the id already stands for. A bulk operation gets the next number of its campaign
   * in the same write, so that no later number is ever seen before an earlier one.
   */
  accept(operation: Omit<Operation, 'sequence'>): Promise<Operation>;
  /**
   * Records an operation as ended, with the moves of its only batch, in one transaction. False, and nothing is written,
   * when its id is taken or anything is not as the batch says.
   */
  carryOut(operation: Operation, batch: Batch, endMarker: Batch): Promise<boolean>;
  /**
   * Starts it; a bulk operation takes its campaign's turn. Returns it as it then stands (somebody else may have started
   * or ended it), or `undefined` while another bulk operation of the campaign goes first.
   */
  start(operation: Operation): Promise<Operation | undefined>;
  /** Fixes the plan of a running operation, unless it has one or is noted to end. Returns it as it then stands. */
  keepPlan(operationId: string, plan: Plan, startedAt: Date): Promise<Operation>;
  /**
   * Notes, before anything is done about it, that an unfinished run is to fail and why, unless it is noted already how it
   * is to end. Returns the operation as it then stands.
   */
  noteError(run: Run, error: StoredError): Promise<Operation>;
  /** The same of an operation that is to be cancelled. */
  noteCancellation(run: Run, cancellation: Cancellation): Promise<Operation>;
  /** Whether it has ended, or is noted to fail or to be cancelled. */
  isStopped(operationId: string): Promise<boolean>;
  /**
   * Ends a run, once: returns the operation as it then stands, whoever ended it. What is noted to fail or to be cancelled
   * is never done.
   */
  end(run: Run, ended: Ending): Promise<Operation>;
  /** Whose turn it is on a campaign: the running bulk operation, else the first accepted. */
  nextOperation(campaignId: string): Promise<Operation | undefined>;
}

export interface Ending {
  readonly state: Extract<OperationState, 'done' | 'cancelled' | 'failed'>;
  readonly at: Date;
  readonly receipt: Receipt | null;
  readonly error?: StoredError;
}

export type { BatchState } from '../domain/operation.ts';

export interface StoredBatch extends Batch {
  readonly state: BatchState;
}

/** How a batch ended, whoever applied it. */
export interface Applied {
  readonly moves: readonly Move[];
  readonly skips: readonly Skip[];
  readonly shortfalls: readonly Shortfall[];
  /** Targets found inactive while applying. */
  readonly inactive: readonly string[];
}

/** An operation, as far as it was asked for. */
export type Asked = Pick<Operation, 'operationId' | 'campaignId' | 'request'>;

/**
 * Somebody else has got further with this operation: planned or applied this batch, stopped or ended it. Whoever meets
 * this should step back; nothing has failed.
 */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

export interface BatchStore {
  /** Stores a planned batch. Throws {@link Overtaken} when its number is taken. */
  insert(batch: Batch): Promise<void>;
  /** The newest `limit` batches, oldest first. */
  recent(operationId: string, limit: number): Promise<StoredBatch[]>;
  /** The first `limit` batches behind a number, in order. */
  readAfter(operationId: string, number: number, limit: number): Promise<StoredBatch[]>;
  /** Every shortfall of an operation so far, by batch. */
  shortfalls(operationId: string): Promise<{ readonly number: number; readonly shortfalls: readonly Shortfall[] }[]>;
  /** Writes a batch's moves and its own ending in one transaction; a batch already applied changes nothing. */
  apply(batch: Batch, operation: Operation, guard: Omit<Guard, 'inactive'>): Promise<Applied>;
  /** What applying a batch would come to now. Writes nothing. */
  look(batch: Batch, operation: Asked, guard: Omit<Guard, 'inactive'>): Promise<Outcome>;
  /** Closes the list of batches with the number after the last. Throws {@link Overtaken} when it is taken. */
  endMarker(last: Batch): Promise<void>;
  /** Closes the list of an unfinished run wherever it stands and drops what is planned and not applied. */
  stop(operation: Operation): Promise<void>;
  /** Adds up what the applied batches say. */
  totals(operationId: string): Promise<{ moves: MoveCount[]; skipped: SkipCount[] }>;
}

export interface Stores {
  readonly campaigns: CampaignStore;
  readonly texters: TexterStore;
  readonly conversations: ConversationStore;
  readonly operations: OperationStore;
  readonly batches: BatchStore;
  readonly claims: ClaimStore;
}
