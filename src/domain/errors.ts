import { idText, jobIdText, shownId } from './safe-text.ts';

/**
 * Codes of refusals. They are part of the public contract: codes are added, never renamed.
 * A refused request has changed nothing.
 */
export const REFUSAL_CODES = [
  'ambiguous-name',
  'bad-request',
  'bad-config',
  'campaign-closed',
  'campaign-exists',
  'campaign-open',
  'code-outdated',
  'confirmation-drifted',
  'confirmation-needed',
  'consent-undecided',
  'contact-erased',
  'migration-running',
  'no-targets',
  'not-retryable',
  'open-max-reached',
  'operation-conflict',
  'operation-ended',
  'operation-running',
  'organisation-exists',
  'other-database',
  'phones-doubted',
  'queue-full',
  'replies-first',
  'same-source-and-target',
  'schema-conflict',
  'schema-outdated',
  'self-assign-off',
  'target-inactive',
  'texter-exists',
  'texter-has-conversations',
  'texter-inactive',
  'too-many-keys',
  'unknown-campaign',
  'unknown-conversation',
  'unknown-key',
  'unknown-operation',
  'unknown-organisation',
  'unknown-texter',
  'unsupported-version',
] as const;

/** Refusals that ask for another confirmation. The operation is sent again with the new number. */
export const CONFIRMATION_CODES = [
  'confirmation-drifted',
  'confirmation-needed',
] as const satisfies readonly RefusalCode[];

/**
 * Refusals that depend on the moment: an undo whose operation has not ended or is not accepted, and a queue that is full. The
 * operation is sent again later.
 */
export const TOO_EARLY_CODES = [
  'operation-running',
  'queue-full',
  'unknown-operation',
] as const satisfies readonly RefusalCode[];

/** Refusals after which an operation may be sent again under its id. */
export const RESENDABLE_CODES = [...CONFIRMATION_CODES, ...TOO_EARLY_CODES] as const;

export type RefusalCode = (typeof REFUSAL_CODES)[number];

export interface ErrorDetails {
  /** A sentence for people, such as "campaign c1 is closed". It contains no name and no phone number. */
  readonly message: string;
  /** For programs: a description of the values that would have been accepted. */
  readonly expected: string;
  /** For programs: the value that was received. */
  readonly received: string;
}

abstract class DetailedError<Code extends string> extends Error {
  readonly code: Code;
  readonly expected: string;
  readonly received: string;

  constructor(code: Code, details: ErrorDetails) {
    super(details.message);
    this.code = code;
    this.expected = details.expected;
    this.received = details.received;
  }
}

/** A request that cannot be carried out. Nothing has changed, and the same request will be refused again. */
export class Refusal extends DetailedError<RefusalCode> {
  override readonly name = 'Refusal';
}

/** The exit code of a process after a refusal. Nothing has changed: the request or the command line was refused. */
export const EXIT_REFUSED = 2;

/** Codes of operations that stopped half-way. */
export const HALT_CODES = ['closed-meanwhile', 'targets-lost'] as const;

export type HaltCode = (typeof HALT_CODES)[number];

/** An operation that stopped half-way. The conversations that it moved stay moved, and its receipt counts them. */
export class Halted extends DetailedError<HaltCode> {
  override readonly name = 'Halted';
}

/**
 * A permanent error whose code this version does not know: the worker that ended the operation is newer. The receipt of the
 * operation says whether conversations moved.
 */
export class UnknownFailure extends DetailedError<string> {
  override readonly name = 'UnknownFailure';
}

/** An error that ends an operation. Running its job again at once would end in the same way. */
export type PermanentError = Refusal | Halted | UnknownFailure;

/**
 * Returns true for errors that must not be retried. Every other error counts as transient and is retried with backoff:
 * a lost connection, a failover and a write conflict pass by themselves, and nothing in an error tells them apart from a
 * bug. A bug uses up the attempts of its job, stays visible as a failed operation, and can be retried after a fix.
 */
export function isPermanent(error: unknown): error is PermanentError {
  return error instanceof Refusal || error instanceof Halted || error instanceof UnknownFailure;
}

export function operationConflict(operationId: string): Refusal {
  return new Refusal('operation-conflict', {
    message: `operation ${idText(operationId)} already exists with a different request; use a new id for a new request`,
    expected: `the request that operation ${idText(operationId)} was created with`,
    received: 'a different request with the same id',
  });
}

export function queueFull(campaignId: string, queuedMax: number): Refusal {
  return new Refusal('queue-full', {
    message: `${queuedMax} operations of campaign ${shownId(campaignId)} wait already; send the operation again later`,
    expected: `fewer than ${queuedMax} waiting operations`,
    received: `${queuedMax} waiting operations`,
  });
}

export function unknownOperation(operationId: string, campaignId?: string): Refusal {
  const where = campaignId === undefined ? '' : ` on campaign ${shownId(campaignId)}`;
  return new Refusal('unknown-operation', {
    message: `operation ${shownId(operationId)} does not exist${where}`,
    expected: 'the id of an operation that a worker has accepted',
    received: shownId(operationId),
  });
}

export function unknownCampaign(campaignId: string): Refusal {
  return new Refusal('unknown-campaign', {
    message: `campaign ${shownId(campaignId)} does not exist`,
    expected: 'the id of a campaign',
    received: shownId(campaignId),
  });
}

export function campaignClosed(campaignId: string): Refusal {
  return new Refusal('campaign-closed', {
    message: `campaign ${shownId(campaignId)} is closed`,
    expected: 'an open campaign',
    received: `${shownId(campaignId)}, closed`,
  });
}

export function unknownTexter(texterId: string): Refusal {
  return new Refusal('unknown-texter', {
    message: `texter ${shownId(texterId)} is not on the campaign`,
    expected: 'the id of a texter of the campaign',
    received: shownId(texterId),
  });
}

/** Redis did not confirm the request. The request may have been stored: send it again with the same id. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable';
  readonly code = 'queue-unavailable';
}

/** The operation used up its attempts on transient errors. `baton retry` may succeed. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed';
  readonly code = 'operation-failed';
}

/** A transaction met the write of another program or worker. It was rolled back. It can succeed when it is repeated. */
export class WriteConflict extends Error {
  override readonly name = 'WriteConflict';
}

/** The producer was closed while the caller waited, or before the call. Operations that were sent continue. */
export class ProducerClosed extends Error {
  override readonly name = 'ProducerClosed';
  readonly code = 'producer-closed';

  constructor() {
    super('the producer is closed; operations that were sent continue, and another producer can await their results');
  }
}

/** The operation did not end within the time the caller wanted to wait. The operation continues. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout';
  readonly code = 'wait-timeout';
  readonly waitMs: number;
  readonly reason: string | undefined;

  /** `reason` says why jobs of the queue wait, such as "the queue operations is paused". */
  constructor(jobId: string, waitMs: number, reason?: string) {
    const end = reason === undefined ? 'it continues' : `${reason}; the job runs later`;
    super(`job ${jobIdText(jobId)} did not end within ${waitMs} ms; ${end}, and its result can be awaited again`);
    this.waitMs = waitMs;
    this.reason = reason;
  }
}
