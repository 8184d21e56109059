import type { Halted, Refusal } from '../src/domain/errors.ts';

/** What one attempt at a job came to. A closed set: the executor knows what each means to the queue. */
export type Outcome =
  /** Ended, with the answer that its sender waits for. */
  | { readonly kind: 'answered'; readonly answer: unknown }
  /** What can never work: told at once, and not tried again. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** More to do, after others had their turn. Burns no attempt. */
  | { readonly kind: 'yielded' }
  /** Something went wrong, and it got on all the same: gone on with after a pause. Burns no attempt. */
  | { readonly kind: 'cut-short'; readonly forMs: number }
  /** Another goes first, and wakes this one when it ends. Burns no attempt. */
  | {
      readonly kind: 'parked';
      /** It is taken up again by then, should nobody wake it. */
      readonly forMs: number;
      /** Called once it is parked and can be woken: wakes whoever should go on now, be it this one. */
      readonly lookAgain: () => Promise<void>;
    };

export function refused(error: Refusal | Halted | { readonly code: string; readonly message: string }): Outcome {
  return { kind: 'refused', code: error.code, message: error.message };
}
