import { Halted, JobFailed, Refusal } from '../../../src/domain/errors.ts';
import { ATTEMPTS_EXHAUSTED } from '../../../src/domain/stored-error.ts';
import type { Answer, SentRequest } from '../../../test/support/audit/records.ts';

/** How a request ended. `halted`: an operation stopped half-way, because all its targets were paused. */
export type Ending = 'answered' | 'refused' | 'halted' | 'failed' | 'unanswered';

/** One request of a texter or an administrator. */
export interface DayRequest extends SentRequest {
  readonly kind: string;
  /** False for requests that leave no document behind: previews, counts, pauses, imports. */
  readonly isStored: boolean;
  readonly answers: Answer[];
  ending: Ending;
  /** The time until the answer, or until the end of the waiting. */
  waitedMs: number;
  /** The code of a refusal, or the name of an error. */
  code: string | null;
}

export interface Target {
  readonly kind: string;
  readonly operationId: string;
  readonly campaignId: string;
  /** Set for a request to cancel the operation with this id. */
  readonly cancels?: true;
}

type StoredAnswer = Exclude<Answer, { readonly code: string }>;

/** Longer than any day. {@link Requests.endWithin} ends the waiting. */
const WAIT = { waitMs: 24 * 3_600_000 };

/** Sends requests, waits for their answers, and keeps both. */
export class Requests {
  readonly all: DayRequest[] = [];
  private readonly waitingEnded: Promise<'waiting-ended'>;
  private end: () => void = () => undefined;

  constructor() {
    this.waitingEnded = new Promise((resolve) => (this.end = () => resolve('waiting-ended')));
  }

  /** Sends an operation, a claim or a cancellation. Returns its answer, or `undefined` if it was not carried out. */
  ask<Result extends StoredAnswer>(
    target: Target,
    send: () => Promise<{ result(wait: { waitMs: number }): Promise<Result> }>,
  ): Promise<Result | undefined> {
    return this.run(target, true, async () => (await send()).result(WAIT));
  }

  /** Does something that leaves no operation behind, and measures it. */
  do<Result>(target: Target, work: () => Promise<Result>): Promise<Result | undefined> {
    return this.run(target, false, work);
  }

  /** Waits for `finished`, the work that sends the requests. After `waitMs`, requests are no longer waited for. */
  async endWithin(waitMs: number, finished: Promise<void>): Promise<void> {
    const timer = setTimeout(this.end, waitMs);
    await finished;
    clearTimeout(timer);
  }

  private async run<Result>(
    target: Target,
    isStored: boolean,
    work: () => Promise<Result>,
  ): Promise<Result | undefined> {
    const request: DayRequest = { ...target, isStored, answers: [], ending: 'unanswered', waitedMs: 0, code: null };
    this.all.push(request);
    const startedAt = performance.now();
    const result = await this.finish(request, work);
    request.waitedMs = performance.now() - startedAt;
    return result;
  }

  private async finish<Result>(request: DayRequest, work: () => Promise<Result>): Promise<Result | undefined> {
    try {
      const result = await Promise.race([work(), this.waitingEnded]);
      if (result === 'waiting-ended') return undefined;
      request.ending = 'answered';
      if (request.isStored) request.answers.push(result as StoredAnswer);
      return result;
    } catch (error) {
      this.noteError(request, error);
      return undefined;
    }
  }

  private noteError(request: DayRequest, error: unknown): void {
    if (error instanceof Refusal || error instanceof Halted) {
      request.ending = error instanceof Refusal ? 'refused' : 'halted';
      request.code = error.code;
      request.answers.push({ code: error.code });
      return;
    }
    request.ending = 'failed';
    request.code = error instanceof Error ? error.name : 'unknown';
    // The stored error of an operation whose job failed.
    if (error instanceof JobFailed) request.answers.push({ code: ATTEMPTS_EXHAUSTED });
  }
}
