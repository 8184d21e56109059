import type { StoredError } from '../src/domain/stored-error.ts';

/** What one attempt at a job came to. A closed set: the executor knows what each means to the queue. */
export type Outcome =
  /** Ended, with the answer that its sender waits for. */
  | { readonly kind: 'completed'; readonly answer: unknown }
  /** Ended with a permanent error, which BullMQ does not retry. */
  | { readonly kind: 'failed'; readonly error: StoredError }
  /** There is more to do: the job goes to the back of the queue. With a delay after an error. Uses no attempt. */
  | { readonly kind: 'requeued'; readonly delayMs: number }
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
