import type { ClaimStore } from './ports.ts';

/** After a check of more claims, the next check of the campaign has to wait. */
const CHECKED_WITHOUT_PAUSE_MAX = 100;
/** It waits for this many times as long as the check took. */
const PAUSE_PER_CHECK = 20;

export interface BlockedClaimsOptions {
  readonly store: Pick<ClaimStore, 'unblock'>;
  readonly serveWaiting: (campaignId: string) => Promise<void>;
  /** Called when a later check fails. Reconcile asks for another. */
  readonly onError: (error: Error) => void;
}

/**
 * Finds the waiting claims that a rule blocked and that it allows now, because the rule or the load of the texter has changed. A
 * check counts the load of each such texter. With many of them it uses a twentieth of the time at most, however often it is asked
 * for.
 */
export class BlockedClaims {
  private readonly options: BlockedClaimsOptions;
  /** The campaigns that are being checked, or whose next check has to wait. */
  private readonly pauses = new Map<string, { isAskedAgain: boolean }>();

  constructor(options: BlockedClaimsOptions) {
    this.options = options;
  }

  /** Checks at once, or later if the campaign was checked just now. Then it starts a round for what it finds. */
  async check(campaignId: string): Promise<void> {
    const pause = this.pauses.get(campaignId);
    if (pause) pause.isAskedAgain = true;
    else await this.unblock(campaignId);
  }

  /**
   * Call it after a round has blocked claims. What changed while the round ran was compared with claims that were not blocked
   * yet, so it is compared again. Later changes find them blocked.
   */
  checkAgain(campaignId: string): void {
    const pause = this.pauses.get(campaignId);
    if (pause) pause.isAskedAgain = true;
    else void this.checkAndServe(campaignId);
  }

  private async unblock(campaignId: string): Promise<number> {
    const startedAt = performance.now();
    const pause = { isAskedAgain: false };
    this.pauses.set(campaignId, pause);
    let pauseMs = 0;
    try {
      const { checked, unblocked } = await this.options.store.unblock(campaignId);
      if (checked > CHECKED_WITHOUT_PAUSE_MAX) pauseMs = PAUSE_PER_CHECK * (performance.now() - startedAt);
      return unblocked;
    } finally {
      const endPause = (): void => {
        this.pauses.delete(campaignId);
        if (pause.isAskedAgain) void this.checkAndServe(campaignId);
      };
      if (pauseMs > 0) setTimeout(endPause, pauseMs).unref();
      else endPause();
    }
  }

  private async checkAndServe(campaignId: string): Promise<void> {
    try {
      if ((await this.unblock(campaignId)) > 0) await this.options.serveWaiting(campaignId);
    } catch (error) {
      this.options.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
