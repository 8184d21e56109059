import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisConnection } from '../queue/connection.ts';
import { errorText, idText } from '../domain/safe-text.ts';
import { ClaimBacklog } from './backlog.ts';
import { toServedClaim } from './claim.ts';
import {
  parseForwardedClaim,
  type ClaimCommand,
  type ClaimReply,
  type ForwardedClaim,
  type ServedClaim,
} from './contract.ts';
import { Leases, type Lease } from './lease.ts';
import { ClaimsDelayed, type Round } from './ports.ts';
import { ClaimReplies, readMessage } from './replies.ts';

/**
 * How long claims are gathered before a round while a bulk operation takes from the same pool. Fewer, larger rounds leave
 * more of the database to the operation.
 */
const GATHER_MS = 75;

/** How long a campaign counts as having such an operation after a round met one. */
const GATHERING_LASTS_MS = 1_000;

export interface CoordinatorOptions {
  readonly redis: RedisConnection;
  /** A connection of its own, because a connection that subscribes cannot send commands. */
  readonly subscriber: RedisConnection;
  readonly prefix: string;
  readonly serve: (campaignId: string, claims: readonly ClaimCommand[]) => Promise<Round>;
  /** Called after each round. */
  readonly onServed?: (campaignId: string, round: Round) => void;
  /** Called with the ids of the waiting claims that a round has ended. */
  readonly onEnded: (operationIds: readonly string[]) => void;
  /** Called after a round in which rules blocked waiting claims. */
  readonly onBlocked: (campaignId: string) => void;
  /** Called when a message cannot be read or sent. The coordinator that waits for it sends its claim again. */
  readonly onError: (error: Error) => void;
}

/**
 * Collects the claims of one worker and serves them per campaign. The coordinator with the campaign's lease serves the claims
 * of all workers together, in one read and one write; the other coordinators forward their claims to it. Claims that are
 * served separately would conflict in the database, because all of them want the oldest conversations.
 */
export class ClaimCoordinator {
  private readonly options: CoordinatorOptions;
  private readonly coordinatorId = randomUUID();
  /** One backlog for each campaign that has entries. */
  private readonly backlogs = new Map<string, ClaimBacklog>();
  private readonly replies: ClaimReplies;
  private readonly leases: Leases;
  /** When a round last met a bulk operation on the same pool, by campaign. */
  private readonly besideOperation = new Map<string, number>();

  constructor(options: CoordinatorOptions) {
    this.options = options;
    this.replies = new ClaimReplies({ ...options, coordinatorId: this.coordinatorId });
    this.leases = new Leases(options.redis, options.prefix, this.coordinatorId);
  }

  /** Subscribes to the replies of other coordinators. Safe to repeat. */
  async open(): Promise<void> {
    await this.replies.open();
  }

  /** Returns the claim as this worker or another served it. Throws when serving failed: then the claim can be retried. */
  async submit(command: ClaimCommand): Promise<ServedClaim> {
    const { operationId: id, campaignId } = command.request;
    const { served } = await this.replies.replyTo(id, () => this.add(campaignId, id, command));
    if (!served) throw new Error(`the reply to claim ${idText(id)} has no result`);
    return served;
  }

  /** Serves the waiting claims of a campaign, because its pool may have been refilled. Throws when serving failed. */
  async serveWaiting(campaignId: string): Promise<void> {
    const id = `waiting:${randomUUID()}`;
    await this.replies.replyTo(id, () => this.add(campaignId, id, null));
  }

  private add(campaignId: string, id: string, command: ClaimCommand | null): void {
    const entry = { coordinatorId: this.coordinatorId, id, command };
    const backlog = this.backlogs.get(campaignId);
    // An entry whose reply is late is added again, although it may still be here.
    if (backlog?.has(entry)) return;
    if (backlog) return backlog.addLocal(entry);
    const started = new ClaimBacklog();
    this.backlogs.set(campaignId, started);
    started.addLocal(entry);
    void this.work(campaignId, started);
  }

  /** Serves or forwards the entries of a campaign until none is left. */
  private async work(campaignId: string, backlog: ClaimBacklog): Promise<void> {
    const lease = this.leases.of(campaignId);
    do {
      try {
        const taken = await this.acquireOrForward(lease, backlog);
        if (taken) await this.serveWithLease(lease, campaignId, backlog, taken);
      } catch (error) {
        this.failAll(backlog, error);
      }
      // Only this loop serves the entries that arrived during the last step, and those left when the lease expired.
    } while (backlog.all.length > 0);
    this.backlogs.delete(campaignId);
  }

  /** Returns forwarded claims when this coordinator has the lease now. Otherwise the entries were forwarded. */
  private async acquireOrForward(lease: Lease, backlog: ClaimBacklog): Promise<readonly string[] | undefined> {
    const entries = backlog.all.map((entry) => JSON.stringify(entry));
    const taken = await lease.acquireOrForward(backlog.forwardedMax, entries);
    if (!taken) backlog.take(entries.length);
    return taken;
  }

  /** Returns when all local and forwarded entries are served, or when the lease has expired before that. */
  private async serveWithLease(
    lease: Lease,
    campaignId: string,
    backlog: ClaimBacklog,
    taken: readonly string[],
  ): Promise<void> {
    const stopRenewing = lease.keepRenewing();
    try {
      backlog.fillRound(this.readForwarded(taken, campaignId));
      while (backlog.nextRound.length > 0) {
        if (this.gathers(campaignId)) {
          await delay(GATHER_MS);
          if (!(await this.takeMore(lease, campaignId, backlog))) return;
        }
        await this.serveRound(campaignId, backlog);
        if (!(await this.takeMore(lease, campaignId, backlog))) return;
      }
    } catch (error) {
      stopRenewing();
      // Without a release the lease expires by itself. The caller has to receive the first error.
      await lease.release().catch(() => undefined);
      throw error;
    } finally {
      stopRenewing();
    }
  }

  /** Fills the next round. Returns false when this coordinator no longer has the lease. */
  private async takeMore(lease: Lease, campaignId: string, backlog: ClaimBacklog): Promise<boolean> {
    const max = backlog.forwardedMax;
    const taken = backlog.all.length > 0 ? await lease.renewAndTake(max) : await lease.takeOrRelease(max);
    if (!taken) return false;
    backlog.fillRound(this.readForwarded(taken, campaignId));
    return true;
  }

  private gathers(campaignId: string): boolean {
    const metAt = this.besideOperation.get(campaignId) ?? -Infinity;
    return performance.now() - metAt < GATHERING_LASTS_MS;
  }

  private noteOperation(campaignId: string, { isBesideOperation }: Round): void {
    if (isBesideOperation) this.besideOperation.set(campaignId, performance.now());
    else this.besideOperation.delete(campaignId);
  }

  private readForwarded(texts: readonly string[], campaignId: string): ForwardedClaim[] {
    const { onError } = this.options;
    return texts.flatMap((text) => readMessage(() => parseForwardedClaim(text, campaignId), onError) ?? []);
  }

  /** Serves one round. Entries without a reply stay in the backlog for the next round. */
  private async serveRound(campaignId: string, backlog: ClaimBacklog): Promise<void> {
    const entries = backlog.nextRound;
    const replies = await this.serve(campaignId, entries);
    const byCoordinator = new Map<string, ClaimReply[]>();
    for (const { coordinatorId, reply } of backlog.takeAnswered(entries, replies)) {
      // A claim that another worker forwarded may have been submitted here too.
      this.replies.settle(reply);
      if (coordinatorId === this.coordinatorId) continue;
      byCoordinator.set(coordinatorId, [...(byCoordinator.get(coordinatorId) ?? []), reply]);
    }
    for (const [coordinatorId, theirs] of byCoordinator) this.replies.publish(coordinatorId, theirs);
  }

  /** Returns replies by entry id. Entries that the round did not reach have none. */
  private async serve(campaignId: string, entries: readonly ForwardedClaim[]): Promise<Map<string, ClaimReply>> {
    const ids = entries.map(({ id }) => id);
    const commands = new Map(entries.flatMap(({ id, command }) => (command ? [[id, command]] : [])));
    try {
      const round = await this.options.serve(campaignId, [...commands.values()]);
      this.noteOperation(campaignId, round);
      this.options.onServed?.(campaignId, round);
      const { answered, completed, replaced, hasBlocked, servedAllWaiting } = round;
      const ended = [...completed.map(({ operationId }) => operationId), ...replaced];
      if (ended.length > 0) this.options.onEnded(ended);
      if (hasBlocked) this.options.onBlocked(campaignId);
      const requestsForRound = servedAllWaiting ? ids.filter((id) => !commands.has(id)) : [];
      const served = answered.map((claim) => ({ id: claim.operationId, served: toServedClaim(claim) }));
      return byId([...requestsForRound.map((id) => ({ id })), ...served]);
    } catch (error) {
      const failure = { failure: errorText(error), isDelayed: error instanceof ClaimsDelayed };
      return byId(ids.map((id) => ({ id, ...failure })));
    }
  }

  private failAll(backlog: ClaimBacklog, error: unknown): void {
    const failure = errorText(error);
    for (const { id } of backlog.take(Infinity)) this.replies.settle({ id, failure });
  }
}

function byId(replies: readonly ClaimReply[]): Map<string, ClaimReply> {
  return new Map(replies.map((reply) => [reply.id, reply]));
}
