import { countSelected, type OperationRequest, type Plan, type RequestInput } from '../operations/index.ts';
import type { OperationResult, Producer, Sent } from '../producer/index.ts';
import { OPERATIONS_QUEUE } from '../queue/job.ts';
import { countWorkers, readQueueFaults } from '../telemetry/index.ts';
import type { AssigneeNames } from './lookup.ts';
import { receiptText } from './receipt-text.ts';
import type { Session } from './session.ts';
import { blocks, isInteractive, progressBar, type Output } from './terminal.ts';

/** After this long without progress, check whether any worker runs. */
const NO_PROGRESS_MS = 3_000;

export interface SendOptions {
  /** `undefined`: do not wait for the result. */
  readonly waitMs: number | undefined;
  readonly names: AssigneeNames;
  /** The plan of a new operation; it gives the total for the progress bar. */
  readonly plan: Plan | undefined;
}

/** Sends a checked request to the workers and waits for its receipt. */
export async function sendOperation(
  session: Session,
  request: OperationRequest,
  { waitMs, names, plan }: SendOptions,
): Promise<Output> {
  const { operationId } = request;
  const sent = await send(await session.producer(), request);
  if (waitMs === undefined) {
    const text = `Sent as operation ${operationId}.\nTo see the result: baton operation ${operationId}`;
    return { json: { operationId, state: 'sent' }, text };
  }
  if (isInteractive(session.terminal)) session.note(`sent operation ${operationId}; it continues if you stop waiting`);
  const result = await waitForResult(session, sent, waitMs, await totalOf(session, request, plan));
  return { json: result, text: resultText(result, names) };
}

/** The producer's methods take requests before defaults, so the checked request needs a cast for each kind. */
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
    case 'reassign-list':
      return producer.reassignList(request as RequestInput<'reassign-list'>);
    case 'unassign-list':
      return producer.unassignList(request as RequestInput<'unassign-list'>);
    case 'undo':
      return producer.undo(request as RequestInput<'undo'>);
  }
}

/** Counts the conversations that will be selected, for the progress bar. Returns 0 where no bar is shown. */
async function totalOf(session: Session, request: OperationRequest, plan: Plan | undefined): Promise<number> {
  if (!plan || !isInteractive(session.terminal)) return 0;
  const { stores } = await session.context();
  return countSelected(stores, request, plan);
}

async function waitForResult(session: Session, sent: Sent, waitMs: number, total: number): Promise<OperationResult> {
  const bar = progressBar(session.terminal, 'moving', total);
  const check = new WorkerCheck(session);
  try {
    return await sent.result({
      waitMs,
      onProgress: (progress) => {
        check.postpone();
        bar.update(movedIn(progress));
      },
    });
  } finally {
    check.stop();
    bar.stop();
  }
}

function movedIn(progress: unknown): number {
  const moved = typeof progress === 'object' && progress !== null && 'moved' in progress ? progress.moved : 0;
  return typeof moved === 'number' ? moved : 0;
}

/** Notes once that no worker runs or that the queue is paused, when an operation makes no progress. */
class WorkerCheck {
  private readonly session: Session;
  private readonly timer: NodeJS.Timeout;

  constructor(session: Session) {
    this.session = session;
    this.timer = setInterval(() => void this.check(), NO_PROGRESS_MS);
  }

  postpone(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    const { queue } = this.session.config;
    const faults = await readQueueFaults(queue).catch(() => undefined);
    const paused = faults?.settings.find(({ queue: name }) => name === OPERATIONS_QUEUE);
    if (paused) return this.noteOnce(`the queue ${OPERATIONS_QUEUE} ${paused.found.join(' and ')}. Still waiting…`);
    const workers = await countWorkers(queue).catch(() => undefined);
    if (workers === 0) this.noteOnce('no worker is running: start one with `baton worker`. Still waiting…');
  }

  private noteOnce(line: string): void {
    this.stop();
    this.session.note(line);
  }
}

function resultText({ operationId, outcome, state, receipt }: OperationResult, names: AssigneeNames): string {
  const end = state === 'cancelled' ? `Operation ${operationId} was cancelled.` : `Operation ${operationId} is done.`;
  const stored = 'It was sent before. This is its stored receipt; nothing was moved again.';
  return blocks(outcome === 'exists' ? `${end} ${stored}` : end, receiptText(receipt, names));
}
