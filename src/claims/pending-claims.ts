import type { ClaimReply } from './messages.ts';

/** A claim not answered by then is brought again: whoever was to serve it may have died with it. */
const ANSWER_MS_MAX = 3_000;

/** What this worker has brought to be served, and waits for. */
export class PendingClaims {
  private readonly waiters = new Map<string, Set<(message: ClaimReply) => void>>();

  /** Calls `bring`, now and again until there is an answer. Throws when serving failed; to be tried again. */
  async answerTo(id: string, bring: () => void): Promise<ClaimReply> {
    return new Promise<ClaimReply>((resolve, reject) => {
      const again = setInterval(bring, ANSWER_MS_MAX);
      const settle = (message: ClaimReply): void => {
        clearInterval(again);
        if (message.failure === undefined) resolve(message);
        else reject(new Error(`claim ${id} was not served: ${message.failure}`));
      };
      this.waiters.set(id, (this.waiters.get(id) ?? new Set()).add(settle));
      bring();
    });
  }

  settle(message: ClaimReply): void {
    const waiting = this.waiters.get(message.id);
    this.waiters.delete(message.id);
    waiting?.forEach((settle) => settle(message));
  }
}
