import { ERASE_JOB, LIFT_OPT_OUT_JOB, OPT_OUT_JOB } from '../src/contacts/index.ts';
import { CANCEL_QUEUED_JOB, FIND_JOB } from '../src/operations/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

export interface ControlHandlers {
  readonly cancel: Handler;
  readonly cancelQueued: Handler;
  readonly find: Handler;
  readonly optOut: Handler;
  readonly erase: Handler;
}

/** Handles the jobs of the queue of controls, each by the handler of its name. */
export class ControlHandler implements Handler {
  private readonly handlers: ControlHandlers;

  constructor(handlers: ControlHandlers) {
    this.handlers = handlers;
  }

  handle(attempt: Attempt): Promise<Outcome> {
    return this.handlerOf(attempt).handle(attempt);
  }

  async onAttemptsExhausted(attempt: Attempt, error: Error): Promise<void> {
    await this.handlerOf(attempt).onAttemptsExhausted?.(attempt, error);
  }

  private handlerOf({ job: { name } }: Attempt): Handler {
    if (name === FIND_JOB) return this.handlers.find;
    if (name === CANCEL_QUEUED_JOB) return this.handlers.cancelQueued;
    if (name === ERASE_JOB) return this.handlers.erase;
    return name === OPT_OUT_JOB || name === LIFT_OPT_OUT_JOB ? this.handlers.optOut : this.handlers.cancel;
  }
}
