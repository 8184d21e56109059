import { REMEMBERED_ANSWER_BYTES_MAX, SESSIONS_MAX } from '../limits.js';
import { BoundedMap } from './bounded-map.js';

/**
 * Answers of retryable writes: a driver that lost one sends the same command, with the same session and number, once
 * more. DocumentDB recognises only commands of a single statement; the front remembers each session's last one whole.
 */
export class Remembered {
  readonly #answers = new BoundedMap<string, { number: bigint; answer: Promise<Buffer> }>(SESSIONS_MAX);

  /** The remembered answer, or `run`'s; one that fails is not remembered, as nothing was written. */
  once(session: string, number: bigint, run: () => Promise<Buffer>): Promise<Buffer> {
    const known = this.#answers.get(session);
    if (known?.number === number) return known.answer;
    // A copy: the answer is a part of the much larger buffer it was received in.
    const answer = run().then((bytes) => (bytes.length > REMEMBERED_ANSWER_BYTES_MAX ? bytes : Buffer.from(bytes)));
    const entry = { number, answer };
    const forget = () => {
      if (this.#answers.get(session) === entry) this.#answers.delete(session);
    };
    this.#answers.set(session, entry);
    answer.then((bytes) => {
      if (bytes.length > REMEMBERED_ANSWER_BYTES_MAX) forget();
    }, forget);
    return answer;
  }

  endSession(session: string): void {
    this.#answers.delete(session);
  }
}
