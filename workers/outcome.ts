import type { StoredError } from '../src/domain/stored-error.ts';

/** What one attempt at a job came to. A closed set: the executor knows what each means to the queue. */
export type Outcome =
  /** Ended, with the answer that its sender waits for. */
  | { readonly kind: 'completed'; readonly answer: unknown }
  /** Ended with a permanent error, which BullMQ does not retry. */
  | { readonly kind: 'failed'; readonly error: StoredError }
  /** More to do, after others had their turn. Burns no attempt. */
  | { readonly kind: 'requeued' }
  /** Something went wrong, and it got on all the same: gone on with after a pause. Burns no attempt. */
  | { readonly kind: 'cut-short'; readonly delayMs: number }
  /** Another goes first, and wakes this one when it ends. Burns no attempt. */
  | {
      readonly kind: 'snoozed';
      /** It is taken up again by then, should nobody wake it. */
      readonly delayMs: number;
      /** Called once it is snoozed and can be woken: wakes whoever should go on now, be it this one. */
      readonly recheck: () => Promise<void>;
    };

export function failedWith(error: StoredError): Outcome {
  return { kind: 'failed', error };
}
