import type { Claim } from '../domain/claim.ts';

/** A claim not answered by then is brought again: whoever was to serve it may have died with it. */
const ANSWER_MS_MAX = 3_000;

/** A claim's answer, as it travels from the worker that served it to the one that holds its job. */
export interface Served extends Pick<
  Claim,
  'operationId' | 'requestHash' | 'madeBy' | 'state' | 'granted' | 'receipt' | 'error'
> {
  /** Until when it waits for more, in milliseconds since 1970; `null` when it has ended. */
  readonly waitsUntil: number | null;
}

export type ClaimMessage = { readonly served: Served } | { readonly claimId: string; readonly failure: string };

export function servedOf(claim: Claim): Served {
  const { operationId, requestHash, madeBy, state, granted, receipt, error, waiting } = claim;
  const waitsUntil = waiting ? waiting.until.getTime() : null;
  return { operationId, requestHash, madeBy, state, granted, receipt, error, waitsUntil };
}

/** The claims that this worker has brought to be served, and waits for. */
export class PendingClaims {
  private readonly waiters = new Map<string, Set<(message: ClaimMessage) => void>>();

  /** Calls `bring`, now and again until there is an answer. Throws when serving failed; to be tried again. */
  async answerTo(claimId: string, bring: () => void): Promise<Served> {
    return new Promise<Served>((resolve, reject) => {
      const again = setInterval(bring, ANSWER_MS_MAX);
      const settle = (message: ClaimMessage): void => {
        clearInterval(again);
        if ('served' in message) resolve(message.served);
        else reject(new Error(`claim ${claimId} was not served: ${message.failure}`));
      };
      this.waiters.set(claimId, (this.waiters.get(claimId) ?? new Set()).add(settle));
      bring();
    });
  }

  settle(message: ClaimMessage): void {
    const claimId = 'served' in message ? message.served.operationId : message.claimId;
    const waiting = this.waiters.get(claimId);
    this.waiters.delete(claimId);
    waiting?.forEach((settle) => settle(message));
  }
}
