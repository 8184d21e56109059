import QuickLRU from 'quick-lru';
import { SESSIONS_MAX, STORED_REPLY_BYTES_MAX } from '../limits.js';

/**
 * Stores the reply to the last retryable write of each session. A driver that lost the reply sends the same command
 * again, with the same session and number. DocumentDB recognises only repeated commands with a single statement.
 */
export class StoredReplies {
  readonly #replies = new QuickLRU<string, { number: bigint; reply: Promise<Buffer> }>({ maxSize: SESSIONS_MAX });

  /** Returns the stored reply or calls `run`. Does not store a failure, because nothing was written. */
  once(session: string, number: bigint, run: () => Promise<Buffer>): Promise<Buffer> {
    const stored = this.#replies.get(session);
    if (stored?.number === number) return stored.reply;
    // A copy, because the reply is part of the larger buffer in which it was received.
    const reply = run().then((bytes) => (bytes.length > STORED_REPLY_BYTES_MAX ? bytes : Buffer.from(bytes)));
    const entry = { number, reply };
    const remove = () => {
      if (this.#replies.get(session) === entry) this.#replies.delete(session);
    };
    this.#replies.set(session, entry);
    reply.then((bytes) => {
      if (bytes.length > STORED_REPLY_BYTES_MAX) remove();
    }, remove);
    return reply;
  }

  endSession(session: string): void {
    this.#replies.delete(session);
  }
}

/** Runs functions with the same key one after another. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const previous = this.#last.get(key) ?? Promise.resolve();
    const running = previous.then(work, work);
    this.#last.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === running) this.#last.delete(key);
    }
  }
}
