import type { RedisConnection } from '../queue/connection.ts';
import { randomUUID } from 'node:crypto';
import type { ClaimCommand, Round } from './ports.ts';
import type { Claim } from './claim.ts';
import { Lease } from './lease.ts';
import {
  readForwarded,
  readMessages,
  servedOf,
  type Brought,
  type ClaimReply,
  type ForwardedClaim,
  type Served,
} from './messages.ts';
import { ClaimBacklog } from './backlog.ts';
import { PendingClaims } from './pending-claims.ts';

/** Claims and looks that are taken up at once; what does not fit into one round stays in hand for the next. */
const ROUND_CLAIMS_MAX = 100;

export interface CoordinatorOptions {
  /** For commands. */
  readonly redis: RedisConnection;
  /** For listening only: a connection that subscribes can do nothing else. */
  readonly subscriber: RedisConnection;
  readonly prefix: string;
  readonly serve: (campaignId: string, claims: readonly ClaimCommand[]) => Promise<Round>;
  /** Told of waiting claims that a round has completed. */
  readonly onCompleted: (claims: readonly Claim[]) => void;
  /** Told of what came through Redis and could not be read, or could not be sent; whoever waits for it sends again. */
  readonly onError: (error: Error) => void;
}

/**
 * Where a worker's claims are gathered, so that all that wait on one campaign are served together, in one read and one
 * write, by one worker: whoever has the campaign's turn serves the others' claims too. Claims that meet each other in
 * the database instead would spend their time on conflicts.
 */
export class ClaimCoordinator {
  private readonly options: CoordinatorOptions;
  private readonly coordinatorId = randomUUID();
  /** By campaign, while there is anything to do. */
  private readonly backlogs = new Map<string, ClaimBacklog>();
  private readonly pending = new PendingClaims();

  constructor(options: CoordinatorOptions) {
    this.options = options;
    options.subscriber.on('message', (_channel: string, message: string) => {
      for (const answer of this.tryTo(() => readMessages(message)) ?? []) this.pending.settle(answer);
    });
  }

  async open(): Promise<void> {
    await this.options.subscriber.subscribe(this.channelOf(this.coordinatorId));
  }

  /** The claim as it was served, by whichever worker. Throws when serving failed; to be tried again. */
  async submit(command: ClaimCommand): Promise<Served> {
    const { operationId: id, campaignId } = command.request;
    const { served } = await this.pending.answerTo(id, () => this.bring(campaignId, { id, command }));
    if (!served) throw new Error(`expected an answer to claim ${id}, got none`);
    return served;
  }

  /** Conversations may have come back to a campaign's pool: serves the claims that wait for them. Throws as `submit`. */
  async look(campaignId: string): Promise<void> {
    const id = `look:${randomUUID()}`;
    await this.pending.answerTo(id, () => this.bring(campaignId, { id, command: null }));
  }

  private bring(campaignId: string, brought: Brought): void {
    const forwarded = { coordinatorId: this.coordinatorId, brought };
    const backlog = this.backlogs.get(campaignId);
    // Brought again because its answer takes long: it is here already.
    if (backlog?.has(forwarded)) return;
    if (backlog) return backlog.put(forwarded);
    const started = new ClaimBacklog();
    this.backlogs.set(campaignId, started);
    started.put(forwarded);
    void this.work(campaignId, started);
  }

  /** Works until nothing is left that was brought here, or forwarded over while this coordinator had the turn. */
  private async work(campaignId: string, backlog: ClaimBacklog): Promise<void> {
    const turn = new Lease(this.options.redis, this.options.prefix, campaignId, this.coordinatorId);
    let isDone: boolean;
    do {
      try {
        isDone = !(await this.acquireOrForward(turn, backlog)) || (await this.serveAll(turn, campaignId, backlog));
      } catch (error) {
        this.fail(backlog, error);
        isDone = true;
      }
      // Brought meanwhile, it has to be begun with here: nobody else would.
    } while (!isDone || backlog.all.length > 0);
    this.backlogs.delete(campaignId);
  }

  /** True: it is this coordinator's turn. False: whatever is here is forwarded over. */
  private async acquireOrForward(turn: Lease, backlog: ClaimBacklog): Promise<boolean> {
    const items = backlog.all.map((each) => JSON.stringify(each));
    if (await turn.acquireOrForward(items)) return true;
    backlog.take(items.length);
    return false;
  }

  /** True when all is served that was brought here or forwarded over. False when its turn ran out before. */
  private async serveAll(turn: Lease, campaignId: string, backlog: ClaimBacklog): Promise<boolean> {
    const stopKeeping = turn.keepWhile();
    try {
      for (;;) {
        const taken = await turn.keepAndTake(forwardedMax(backlog));
        if (!taken) return false;
        const forwarded = taken.flatMap((item) => this.tryTo(() => readForwarded(item, campaignId)) ?? []);
        backlog.takeUp(forwarded, ROUND_CLAIMS_MAX);
        if (backlog.inHand.length > 0) await this.serveRound(campaignId, backlog);
        else if (await turn.leave()) return true;
      }
    } catch (error) {
      await turn.release();
      throw error;
    } finally {
      stopKeeping();
    }
  }

  /** What the round did not get to stays in hand. */
  private async serveRound(campaignId: string, backlog: ClaimBacklog): Promise<void> {
    const answers = await this.serve(campaignId, backlog.inHand);
    const byCoordinator = new Map<string, ClaimReply[]>();
    for (const { coordinatorId, answer } of backlog.takeAnswered(answers)) {
      // This coordinator's own, or one that was brought here as well.
      this.pending.settle(answer);
      if (coordinatorId !== this.coordinatorId)
        byCoordinator.set(coordinatorId, [...(byCoordinator.get(coordinatorId) ?? []), answer]);
    }
    // The next round does not wait for it: who is not told brings the claim again.
    for (const [coordinatorId, theirs] of byCoordinator) {
      this.options.redis.publish(this.channelOf(coordinatorId), JSON.stringify(theirs)).catch(this.options.onError);
    }
  }

  /** What a round came to, by the ids of what was brought; without those that it did not get to. */
  private async serve(campaignId: string, inHand: readonly ForwardedClaim[]): Promise<Map<string, ClaimReply>> {
    const ids = inHand.map(({ brought }) => brought.id);
    const commands = new Map(inHand.flatMap(({ brought: { id, command } }) => (command ? [[id, command]] : [])));
    try {
      const { answered, completed, sawAllWaiting } = await this.options.serve(campaignId, [...commands.values()]);
      if (completed.length > 0) this.options.onCompleted(completed);
      const looks = sawAllWaiting ? ids.filter((id) => !commands.has(id)) : [];
      const served = answered.map((claim) => ({ id: claim.operationId, served: servedOf(claim) }));
      return byId([...looks.map((id) => ({ id })), ...served]);
    } catch (error) {
      const failure = messageOf(error);
      return byId(ids.map((id) => ({ id, failure })));
    }
  }

  private fail(backlog: ClaimBacklog, error: unknown): void {
    const failure = messageOf(error);
    for (const { brought } of backlog.take(Infinity)) this.pending.settle({ id: brought.id, failure });
  }

  /** Anybody may write to Redis: what cannot be read is told, and ends nothing. */
  private tryTo<Read>(read: () => Read): Read | undefined {
    try {
      return read();
    } catch (error) {
      this.options.onError(new Error(`expected a claim coordinator's message, received: ${messageOf(error)}`));
      return undefined;
    }
  }

  private channelOf(coordinatorId: string): string {
    return `${this.options.prefix}:claims:answers:${coordinatorId}`;
  }
}

/** By halves where there are many: neither those that came here nor those forwarded over wait for all the others. */
function forwardedMax({ inHand, untakenCount }: ClaimBacklog): number {
  const room = Math.max(0, ROUND_CLAIMS_MAX - inHand.length);
  return Math.max(Math.ceil(room / 2), room - untakenCount);
}

function byId(messages: readonly ClaimReply[]): Map<string, ClaimReply> {
  return new Map(messages.map((message) => [message.id, message]));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
