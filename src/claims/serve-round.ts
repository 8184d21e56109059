import { newClaim, settleNew, settleWaiting, startsToWait, type Claim, type Decision } from './claim.ts';
import type { ClaimCommand } from './contract.ts';
import {
  KnownOperationId,
  type ClaimStore,
  type Granted,
  type Round,
  type RoundStart,
  type RoundStore,
} from './ports.ts';
import { claimsThatFit, dealPool, loadsAfter, type CampaignRules, type Snapshot, type TexterLoad } from './rules.ts';
import { SELF_ASSIGN_DEFAULT } from '../domain/self-assign.ts';

/** How many waiting claims are read at a time. */
const WAITING_PAGE = 100;

/**
 * Serves claims of one campaign together, in one transaction: the waiting claims first, then these in their order. A claim
 * whose operation id exists already is answered with the stored record, even if that is another request.
 *
 * Almost all operation ids are new, so the known ones are looked up only after the insert has met one.
 */
export async function serveClaims(
  store: ClaimStore,
  campaignId: string,
  commands: readonly ClaimCommand[],
): Promise<Round> {
  let known: readonly Claim[] = [];
  for (;;) {
    const knownIds = new Set(known.map(({ operationId }) => operationId));
    const unknown = commands.filter(({ request }) => !knownIds.has(request.operationId));
    try {
      const round = await store.inRound(campaignId, (rounds) => serveRound(rounds, unknown, store.conversationsMax));
      return { ...round, answered: [...known, ...round.answered] };
    } catch (error) {
      if (!(error instanceof KnownOperationId)) throw error;
      const before = known.length;
      known = await store.findAll(commands.map(({ request }) => request.operationId));
      // Another worker can insert one of the ids at any time. Each repetition has at least one id fewer to insert.
      if (known.length === before) throw error;
    }
  }
}

/**
 * Serves the waiting claims in their order, then the new claims. A round ends when every claim is served, when the pool is
 * empty, or when the next claim would exceed `conversationsMax`. The limit keeps the transaction short, because its
 * conflicts and locks last as long as it does.
 */
export async function serveRound(
  store: RoundStore,
  commands: readonly ClaimCommand[],
  conversationsMax: number,
): Promise<Round> {
  const newClaims = commands.map((command) => newClaim(command, store.now));
  const texterIds = textersOf(newClaims);
  const start = await store.start(texterIds, likelyNeed(newClaims, conversationsMax));
  return new RoundInProgress(store, start, { conversationsMax, texterIds }).serveAll(newClaims);
}

/** How many conversations are read of the pool before the rules are known. If it was too few, they are read again. */
function likelyNeed(newClaims: readonly Claim[], conversationsMax: number): number {
  if (newClaims.length === 0) return WAITING_PAGE;
  const wanted = newClaims.map(({ request }) => request.count ?? SELF_ASSIGN_DEFAULT.batchMax);
  return Math.min(
    conversationsMax,
    wanted.reduce((sum, count) => sum + count, 0),
  );
}

class RoundInProgress {
  private readonly store: RoundStore;
  private readonly campaign: CampaignRules | undefined;
  private readonly conversationsMax: number;
  /** With the conversations that this round has granted. A texter who is not on the campaign is missing. */
  private loads: ReadonlyMap<string, TexterLoad>;
  private readonly loadsRead: Set<string>;
  private readonly answered: Claim[] = [];
  private readonly completed: Claim[] = [];
  private readonly replaced: string[] = [];
  private readonly granted: Granted[] = [];
  private hasBlocked = false;
  private grantedCount = 0;
  /** True after a claim of this round has started to wait. */
  private hasStarted = false;

  constructor(
    store: RoundStore,
    { campaign, texters }: RoundStart,
    { conversationsMax, texterIds }: { readonly conversationsMax: number; readonly texterIds: readonly string[] },
  ) {
    this.store = store;
    this.campaign = campaign;
    this.loads = texters;
    this.loadsRead = new Set(texterIds);
    this.conversationsMax = conversationsMax;
  }

  async serveAll(newClaims: readonly Claim[]): Promise<Round> {
    const page = await this.waitingPage(newClaims);
    for (let after = 0; ;) {
      const waiting = page === 0 ? [] : await this.store.readWaiting(after, page);
      const isLastPage = page === 0 || waiting.length < page;
      const { ended, left } = await this.serveQueue(isLastPage ? [...waiting, ...newClaims] : waiting);
      if (ended === 'pool-empty') {
        // The other claims are granted nothing. New claims are answered, and waiting claims of this page that have
        // reached their maximum are completed.
        await this.serveFront(isLastPage ? left : [...left, ...newClaims], Infinity);
        return this.result(true);
      }
      if (ended === 'limit-reached') return this.result(isLastPage && left.every(isNew));
      if (isLastPage) return this.result(true);
      after = waiting.at(-1)?.waiting?.sequence ?? after;
    }
  }

  /**
   * Returns how many waiting claims are read at a time; 0 for none. Each of them needs a conversation. So new claims that find the
   * pool empty do not read those that wait. A round for the waiting claims alone reads the first of them in any case, because
   * a changed rule may have completed them.
   */
  private async waitingPage(newClaims: readonly Claim[]): Promise<number> {
    if (!this.campaign || this.campaign.waitingCount === 0) return 0;
    const limit = likelyNeed(newClaims, this.conversationsMax);
    const { ids } = await this.store.readPool(limit);
    if (ids.length === 0) return newClaims.length === 0 ? WAITING_PAGE : 0;
    return Math.min(WAITING_PAGE, ids.length < limit ? ids.length : Infinity);
  }

  private result(servedAllWaiting: boolean): Round {
    const { answered, completed, replaced, granted, hasBlocked } = this;
    const { isBesideOperation } = this.store;
    return { answered, completed, replaced, granted, hasBlocked, servedAllWaiting, isBesideOperation };
  }

  private async serveQueue(
    queue: readonly Claim[],
  ): Promise<{ readonly ended: 'all-served' | 'pool-empty' | 'limit-reached'; readonly left: readonly Claim[] }> {
    let left = queue;
    while (left.length > 0) {
      const { servedCount, isPoolEmpty } = await this.serveFront(left, this.conversationsMax);
      left = left.slice(servedCount);
      if (isPoolEmpty) return { ended: 'pool-empty', left };
      if (left.length > 0 && this.grantedCount > 0) return { ended: 'limit-reached', left };
    }
    return { ended: 'all-served', left };
  }

  /** Serves as many claims from the front of the queue as fit into the round. */
  private async serveFront(
    queue: readonly Claim[],
    conversationsMax: number,
  ): Promise<{ readonly servedCount: number; readonly isPoolEmpty: boolean }> {
    if (queue.length === 0) return { servedCount: 0, isPoolEmpty: false };
    const snapshot = await this.readSnapshot(queue);
    const limit = { conversationsMax, grantedSoFar: this.grantedCount };
    const { fitting, poolNeeded } = claimsThatFit(queue, snapshot, limit);
    const pool = await this.store.readPool(poolNeeded);
    const decisions = dealPool(fitting, snapshot, pool);
    const granted = decisions.reduce((sum, decision) => sum + decision.granted.length, 0);
    this.grantedCount += granted;
    this.loads = loadsAfter(this.loads, decisions);
    await this.write(decisions);
    // Claims may need less than `poolNeeded`. The pool is empty when it had less, and all of that was granted.
    return { servedCount: fitting.length, isPoolEmpty: pool.ids.length < poolNeeded && granted === pool.ids.length };
  }

  private async readSnapshot(queue: readonly Claim[]): Promise<Snapshot> {
    const { campaign, store } = this;
    const unread = textersOf(queue).filter((texterId) => !this.loadsRead.has(texterId));
    const countReplies = campaign !== undefined && campaign.selfAssign.repliesMax !== null;
    const read = unread.length > 0 ? await store.readTexters(unread, countReplies) : [];
    this.loads = new Map([...this.loads, ...read]);
    for (const texterId of unread) this.loadsRead.add(texterId);
    return { campaign, texters: this.loads };
  }

  /**
   * Locks the texters who are granted something or start to wait. Then inserts new claims: an operation id that exists already
   * aborts the round before the larger writes.
   */
  private async write(decisions: readonly Decision[]): Promise<void> {
    const locked = textersOf(decisions.filter(changesTexter).map(({ claim }) => claim));
    if (locked.length > 0) await this.store.lockTexters(locked);
    const forNew = decisions.filter(({ claim }) => isNew(claim));
    const starting = newestOfTexters(forNew.filter(startsToWait));
    if (forNew.length > 0) await this.insertNew(forNew, starting);
    const granting = decisions.filter(({ granted }) => granted.length > 0);
    if (granting.length > 0) await this.store.assign(granting);
    this.granted.push(...granting.map(toGranted));
    await this.updateWaiting(decisions.filter(({ claim }) => !isNew(claim)));
    // Last, because an older claim may have been granted conversations just now.
    await this.replaceOlder(starting);
  }

  private async insertNew(decisions: readonly Decision[], starting: ReadonlySet<Decision>): Promise<void> {
    let sequence = starting.size > 0 ? await this.store.reserveSequences(starting.size) : 0;
    const claims = decisions.map((decision) =>
      settleNew(decision, this.store.now, starting.has(decision) ? (sequence += 1) : null),
    );
    await this.store.insert(claims);
    this.answered.push(...claims);
  }

  private async updateWaiting(decisions: readonly Decision[]): Promise<void> {
    const changes = decisions.flatMap((decision) => {
      const claim = settleWaiting(decision, this.store.now);
      return claim ? [{ claim, granted: decision.granted }] : [];
    });
    if (changes.length > 0) await this.store.updateWaiting(changes);
    this.hasBlocked ||= changes.some(({ claim }) => claim.waiting?.isBlocked);
    this.completed.push(...changes.flatMap(({ claim }) => (claim.waiting ? [] : [claim])));
  }

  /** A texter has one waiting claim at a time. */
  private async replaceOlder(starting: ReadonlySet<Decision>): Promise<void> {
    if (starting.size === 0) return;
    const isFirst = this.campaign?.waitingCount === 0 && !this.hasStarted;
    this.hasStarted = true;
    if (isFirst) return;
    const claims = [...starting].map(({ claim }) => claim);
    const ids = claims.map(({ operationId }) => operationId);
    this.replaced.push(...(await this.store.endReplaced(textersOf(claims), ids)));
  }
}

function toGranted({ claim, granted }: Decision): Granted {
  return { texterId: claim.request.texterId, conversationIds: granted };
}

function isNew({ waiting }: Claim): boolean {
  return waiting === null;
}

function changesTexter(decision: Decision): boolean {
  return decision.granted.length > 0 || (isNew(decision.claim) && startsToWait(decision));
}

function newestOfTexters(decisions: readonly Decision[]): ReadonlySet<Decision> {
  return new Set(new Map(decisions.map((decision) => [decision.claim.request.texterId, decision])).values());
}

function textersOf(claims: readonly Claim[]): string[] {
  return [...new Set(claims.map(({ request }) => request.texterId))];
}
