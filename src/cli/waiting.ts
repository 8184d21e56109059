import type { Context } from '../context.ts';
import { QueueUnavailable, WaitTimeout } from '../domain/errors.ts';
import { OPERATIONS_QUEUE } from '../queue/job.ts';
import { beforeSignalEnds, onFirstSignal } from './interruption.ts';
import { unbroken } from './layout.ts';
import type { Session } from './session.ts';
import { counted, progressBar, type Terminal } from './terminal.ts';

/** After this long without progress, say what the operation waits for. */
const NO_PROGRESS_MS = 3_000;

/** What a command waits for. */
export interface Awaited {
  /** The queue with the job. */
  readonly queue: string;
  /** `null` for a request that is no operation. */
  readonly operationId: string | null;
  /** What the job does, for the middle of a sentence: "the operation". */
  readonly what: string;
  /** What Ctrl-C does. Default: it ends the command, and the job may continue. */
  readonly onSignal?: (() => void) | undefined;
}

/** Waits for a result. Says on stderr why it takes long, and what to do when the connection to Redis is lost. */
export async function waitFor<Result>(
  session: Session,
  awaited: Awaited,
  wait: (onProgress: (moved: number) => void) => Promise<Result>,
  total = 0,
): Promise<Result> {
  const bar = new NotedBar(session.terminal, total);
  const say = (line: string): void => bar.interrupt(() => session.note(line));
  const notes = new WaitNotes(session, awaited, say);
  const { onConnectionError } = session;
  session.onConnectionError = (line) => say(`${line}; ${howToLookUp(awaited)}`);
  const endSignals =
    awaited.onSignal === undefined
      ? beforeSignalEnds(() => say(howToLookUp(awaited)))
      : onFirstSignal(awaited.onSignal);
  try {
    return await wait((moved) => {
      notes.postpone();
      bar.update(moved);
    });
  } catch (error) {
    bar.stop();
    if (error instanceof WaitTimeout) throw new StillWaiting(awaited, error);
    if (error instanceof QueueUnavailable) session.note(howToLookUp(awaited));
    throw error;
  } finally {
    endSignals();
    session.onConnectionError = onConnectionError;
    notes.stop();
    bar.stop();
  }
}

/** The time of `--wait` is over. Speaks of the operation, where the error of the producer speaks of its job. */
class StillWaiting extends Error {
  override readonly name = 'WaitTimeout';
  readonly code = 'wait-timeout';

  constructor(awaited: Awaited, { waitMs, reason }: WaitTimeout) {
    const because = reason === undefined ? '' : `, because ${reason}`;
    super(`no result after ${waitMs / 1_000} s${because}; ${howToLookUp(awaited)}`);
  }
}

function howToLookUp({ operationId, what }: Omit<Awaited, 'queue'>): string {
  if (operationId === null) return `${what} may continue`;
  return `${what} may continue. To see what became of it: ${unbroken(`baton operation ${operationId}`)}`;
}

/** A progress bar that makes room for notes. A terminal would cut off a note that is written behind the bar. */
class NotedBar {
  private bar: ReturnType<typeof progressBar> | undefined;
  private readonly open: () => ReturnType<typeof progressBar>;

  constructor(terminal: Terminal, total: number) {
    this.open = () => progressBar(terminal, 'moving', total);
    this.bar = this.open();
  }

  update(moved: number): void {
    this.bar ??= this.open();
    this.bar.update(moved);
  }

  /** The bar returns with the next progress. */
  interrupt(write: () => void): void {
    this.stop();
    write();
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

/** Notes why a job makes no progress: no worker runs, its queue is paused, or other operations run first. */
class WaitNotes {
  private readonly session: Session;
  private readonly awaited: Awaited;
  private readonly say: (line: string) => void;
  private readonly timer: NodeJS.Timeout;
  private readonly said = new Set<string>();

  constructor(session: Session, awaited: Awaited, say: (line: string) => void) {
    this.session = session;
    this.awaited = awaited;
    this.say = say;
    this.timer = setInterval(() => void this.check(), NO_PROGRESS_MS);
  }

  postpone(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    const reason = (await this.faultOf()) ?? (await this.placeOf());
    if (reason === undefined || this.said.has(reason)) return;
    this.said.add(reason);
    this.say(reason);
  }

  private async faultOf(): Promise<string | undefined> {
    const { queue } = this.session.config;
    const { countWorkers, readQueueFaults } = await import('../telemetry/index.ts');
    const faults = await readQueueFaults(queue).catch(() => undefined);
    const paused = faults?.settings.find(({ queue: name }) => name === this.awaited.queue);
    if (paused) return `the queue ${this.awaited.queue} ${paused.found.join(' and ')}. Still waiting…`;
    const workers = await countWorkers(queue).catch(() => undefined);
    return workers === 0 ? 'no worker is running: start one with `baton worker`. Still waiting…' : undefined;
  }

  /** Only operations on whole campaigns wait for each other. */
  private async placeOf(): Promise<string | undefined> {
    const { queue, operationId } = this.awaited;
    if (queue !== OPERATIONS_QUEUE || operationId === null) return undefined;
    const context = await this.session.context();
    const ahead = await aheadOf(context, operationId).catch(() => undefined);
    return ahead === undefined || ahead === 0
      ? undefined
      : `${counted(ahead, 'operation')} of this campaign ${ahead === 1 ? 'is' : 'are'} ahead. Still waiting…`;
  }
}

async function aheadOf({ operationViews }: Context, operationId: string): Promise<number | undefined> {
  const found = await operationViews.findOperation(operationId);
  if (!found) return undefined;
  const [viewed] = await operationViews.withPlaces(found.campaignId, [found]);
  return viewed?.ahead;
}
