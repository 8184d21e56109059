/**
 * Why Baton said no. Codes are part of the public contract: they are never renamed, only added to.
 *
 * A refusal is the operation's end: trying it again by itself would be no use, so it is never retried; see
 * {@link isPermanent} for everything else.
 */
export const REFUSAL_CODES = [
  'ambiguous-name',
  'bad-request',
  'bad-config',
  'campaign-closed',
  'campaign-exists',
  'confirmation-drifted',
  'confirmation-needed',
  'no-targets',
  'not-retryable',
  'open-max-reached',
  'operation-conflict',
  'operation-ended',
  'operation-running',
  'replies-first',
  'same-source-and-target',
  'self-assign-off',
  'target-inactive',
  'texter-exists',
  'texter-inactive',
  'unknown-campaign',
  'unknown-conversation',
  'unknown-operation',
  'unknown-texter',
] as const;

export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** A request that cannot be carried out as things stand: nothing was moved, and the message says what would do. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly expected: string;
  readonly got: string;

  constructor(code: RefusalCode, said: { expected: string; got: string }) {
    super(`expected ${said.expected}, got ${said.got}`);
    this.name = 'Refusal';
    this.code = code;
    this.expected = said.expected;
    this.got = said.got;
  }
}

/**
 * An operation that could not be carried to its end. What had moved stays moved; the kept receipt says what. Its code is
 * no refusal's: nobody may take it for a request that changed nothing.
 */
export class Halted extends Error {
  readonly code: 'targets-lost';

  constructor(code: 'targets-lost', said: { expected: string; got: string }) {
    super(`expected ${said.expected}, got ${said.got}; what had moved by then is in the operation's receipt`);
    this.name = 'Halted';
    this.code = code;
  }
}

/**
 * The one place that tells an answer from trouble. Refusals and {@link Halted} are answers: said again the same each time,
 * so they are told at once and never retried. Everything else is trouble and is tried again, with growing pauses, as
 * often as its job has attempts: a lost connection, a failover or a write conflict passes, and what does not (a document
 * that the database will not have, a mistake in the code) cannot be told from it by looks. It uses its attempts up, is
 * given up visibly, and can be retried once it is mended.
 */
export function isPermanent(error: unknown): error is Refusal | Halted {
  return error instanceof Refusal || error instanceof Halted;
}

/** The refusal of an id that already stands for another request. */
export function otherRequest(operationId: string): Refusal {
  return new Refusal('operation-conflict', {
    expected: `the request that operation ${operationId} stands for`,
    got: 'another request with its id',
  });
}

/** The refusal of an id that stands for nothing on its campaign. */
export function unknownOperation(operationId: string): Refusal {
  const expected = 'an operation of the campaign that a worker has taken up';
  return new Refusal('unknown-operation', { expected, got: shown(operationId) });
}

/** The queue is out of reach: the request may or may not have been taken. Sending it again with the same id is safe. */
export class QueueUnavailable extends Error {
  readonly code = 'queue-unavailable';

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'QueueUnavailable';
  }
}

/** Waiting ended before the operation did; it goes on, and can be waited for again by its id. */
export class WaitTimeout extends Error {
  readonly code = 'wait-timeout';

  constructor(jobId: string, waitMs: number) {
    super(`expected job ${jobId} to end within ${waitMs} ms, got no answer yet; it goes on`);
    this.name = 'WaitTimeout';
  }
}

/** The longest piece of somebody else's input that a message repeats. */
const SHOWN_CHARS_MAX = 80;

/** What JSON lets through and a terminal or a log reader would act on. */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029]/g;

/** Somebody else's value, short enough and plain enough to stand in a message or a log line. */
export function shown(value: unknown): string {
  const plain = written(value).replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return plain.length > SHOWN_CHARS_MAX ? `${plain.slice(0, SHOWN_CHARS_MAX)}…` : plain;
}

/** As JSON, where it can be written; it may be nested too deep, or in circles. */
function written(value: unknown): string {
  try {
    // What JSON has no word for (a function, nothing at all) comes back as undefined.
    return String(JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)));
  } catch {
    return `${typeof value} that cannot be shown`;
  }
}

/** One line that survives a trip through a queue's failure text; {@link parseRefusal} reads it back. */
export function refusalLine({ code, message }: { readonly code: string; readonly message: string }): string {
  return `${code}: ${message}`;
}

/** The refusal that {@link refusalLine} wrote, or `undefined` when the line is some other failure's. */
export function parseRefusal(line: string): Refusal | undefined {
  const match = /^([a-z-]+): expected (.*?), got (.*)$/s.exec(line);
  const code = REFUSAL_CODES.find((known) => known === match?.[1]);
  if (!match || !code) return undefined;
  return new Refusal(code, { expected: match[2] ?? '', got: match[3] ?? '' });
}
