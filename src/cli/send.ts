import { countSelected, type OperationRequest, type Plan, type RequestInput } from '../operations/index.ts';
import { countWorkers } from '../telemetry/index.ts';
import type { OperationResult, Producer, Sent } from '../producer/index.ts';
import type { AssigneeNames } from './assignees.ts';
import { blocks, type Answer } from './output.ts';
import { isWatched, progressBar } from './progress.ts';
import { receiptText } from './receipt.ts';
import type { Session } from './session.ts';

/** After this long without a sign of life it is worth asking whether anybody works at all. */
const QUIET_MS = 3_000;

export interface SendOptions {
  /** `undefined`: don't wait for the end. */
  readonly waitMs: number | undefined;
  readonly names: AssigneeNames;
  /** What was found in order, when the operation is new: tells how long the way is. */
  readonly plan: Plan | undefined;
}

/** Sends a checked request to the workers, waits for its end while somebody may watch, and tells its receipt. */
export async function sendAndTell(session: Session, request: OperationRequest, options: SendOptions): Promise<Answer> {
  const { operationId } = request;
  const sent = await send(session.producer(), request);
  if (options.waitMs === undefined) {
    const text = `Sent as operation ${operationId}.\nSee what became of it: baton operation ${operationId}`;
    return { json: { operationId, state: 'sent' }, text };
  }
  if (isWatched(session.terminal)) session.tell(`sent operation ${operationId}; it goes on if you stop waiting`);
  const result = await waitFor(session, sent, options.waitMs, await totalOf(session, request, options.plan));
  return { json: result, text: resultText(result, options.names) };
}

/** The producer checks requests by its own schema, whose types are those of a caller before defaults. */
async function send(producer: Producer, { kind, ...request }: OperationRequest): Promise<Sent> {
  switch (kind) {
    case 'reassign':
      return producer.reassign(request as RequestInput<'reassign'>);
    case 'unassign':
      return producer.unassign(request as RequestInput<'unassign'>);
    case 'reassign-one':
      return producer.reassignOne(request as RequestInput<'reassign-one'>);
    case 'unassign-one':
      return producer.unassignOne(request as RequestInput<'unassign-one'>);
    case 'undo':
      return producer.undo(request as RequestInput<'undo'>);
  }
}

/** How many there are to go, for a bar that somebody sees; 0 where nobody does. */
async function totalOf(session: Session, request: OperationRequest, plan: Plan | undefined): Promise<number> {
  if (!plan || !isWatched(session.terminal)) return 0;
  const { stores } = await session.context();
  return countSelected(stores, request, plan);
}

async function waitFor(session: Session, sent: Sent, waitMs: number, total: number): Promise<OperationResult> {
  const bar = progressBar(session.terminal, 'moving', total);
  const watch = new QuietWatch(session);
  try {
    return await sent.result({
      waitMs,
      onProgress: (progress) => {
        watch.heard();
        bar.update(movedOf(progress));
      },
    });
  } finally {
    watch.stop();
    bar.stop();
  }
}

function movedOf(progress: unknown): number {
  const told = typeof progress === 'object' && progress !== null && 'moved' in progress ? progress.moved : 0;
  return typeof told === 'number' ? told : 0;
}

/** Says so, once, when nothing is heard and nobody is there to work. */
class QuietWatch {
  private readonly session: Session;
  private readonly timer: NodeJS.Timeout;

  constructor(session: Session) {
    this.session = session;
    this.timer = setInterval(() => void this.look(), QUIET_MS);
  }

  heard(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const workers = await countWorkers(this.session.config.queue).catch(() => undefined);
    if (workers !== 0) return;
    this.stop();
    this.session.tell('no worker seems to be running: start one with `baton worker`. Still waiting…');
  }
}

export function resultText({ operationId, outcome, state, receipt }: OperationResult, names: AssigneeNames): string {
  const before =
    outcome === 'exists' ? 'It had been asked for before; this is its answer, nothing was moved again.' : '';
  const end = state === 'cancelled' ? `Operation ${operationId} was cancelled.` : `Operation ${operationId} is done.`;
  return blocks(`${end} ${before}`.trim(), receiptText(receipt, names));
}
