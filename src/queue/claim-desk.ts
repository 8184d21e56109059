import type { RedisConnection } from './connection.ts';
import { randomUUID } from 'node:crypto';
import type { ClaimCommand, Round } from '../app/ports.ts';
import type { Claim } from '../domain/claim.ts';
import { ClaimTurn } from './claim-turn.ts';
import {
  readHanded,
  readMessages,
  servedOf,
  type Brought,
  type DeskMessage,
  type Handed,
  type Served,
} from './desk-messages.ts';
import { PendingClaims } from './pending-claims.ts';

/** Claims in one round: what one transaction serves. */
const ROUND_CLAIMS_MAX = 100;

export interface DeskOptions {
  /** For commands. */
  readonly redis: RedisConnection;
  /** For listening only: a connection that subscribes can do nothing else. */
  readonly subscriber: RedisConnection;
  readonly prefix: string;
  readonly serve: (campaignId: string, claims: readonly ClaimCommand[]) => Promise<Round>;
  /** Told of waiting claims that a round has completed. */
  readonly onCompleted: (claims: readonly Claim[]) => void;
  /** Told of what came through Redis and could not be read; whoever sent it has to send it again. */
  readonly onError: (error: Error) => void;
}

/**
 * Where a worker's claims are gathered, so that all that wait on one campaign are served together, in one read and one
 * write, by one worker: whoever has the campaign's turn serves the others' claims too. Claims that meet each other in
 * the database instead would spend their time on conflicts.
 */
export class ClaimDesk {
  private readonly options: DeskOptions;
  private readonly deskId = randomUUID();
  private readonly fresh = new Map<string, Brought[]>();
  private readonly busy = new Set<string>();
  /** Its own, in the round under way. */
  private readonly inHand = new Set<string>();
  private readonly pending = new PendingClaims();

  constructor(options: DeskOptions) {
    this.options = options;
    options.subscriber.on('message', (_channel: string, message: string) => {
      for (const answer of this.tryTo(() => readMessages(message)) ?? []) this.pending.settle(answer);
    });
  }

  async open(): Promise<void> {
    await this.options.subscriber.subscribe(this.channelOf(this.deskId));
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
    const fresh = this.freshOf(campaignId);
    // Brought again because its answer takes long: it is here already.
    if (this.inHand.has(brought.id) || fresh.some(({ id }) => id === brought.id)) return;
    this.fresh.set(campaignId, [...fresh, brought]);
    if (!this.busy.has(campaignId)) void this.work(campaignId);
  }

  /** Works until nothing is left that was brought here, or handed over while this desk had the turn. */
  private async work(campaignId: string): Promise<void> {
    this.busy.add(campaignId);
    const turn = new ClaimTurn(this.options.redis, this.options.prefix, campaignId, this.deskId);
    try {
      let isServed = true;
      do {
        isServed = !(await this.takeOrHandOver(turn, campaignId)) || (await this.serveAll(turn, campaignId));
      } while (!isServed || this.hasFresh(campaignId));
    } catch (error) {
      this.fail(campaignId, error);
    } finally {
      this.busy.delete(campaignId);
      // Brought while the last look was on its way: nobody else would begin with it.
      if (this.hasFresh(campaignId)) void this.work(campaignId);
    }
  }

  /** True: it is this desk's turn. False: what was brought here is handed over. */
  private async takeOrHandOver(turn: ClaimTurn, campaignId: string): Promise<boolean> {
    const fresh = this.freshOf(campaignId);
    const items = fresh.map((brought) => JSON.stringify({ deskId: this.deskId, brought } satisfies Handed));
    if (await turn.takeOrHandOver(items)) return true;
    // What was brought meanwhile stands behind them.
    this.takeFresh(campaignId, fresh.length);
    return false;
  }

  /** True when all is served that was brought here or handed over. False when its turn ran out before. */
  private async serveAll(turn: ClaimTurn, campaignId: string): Promise<boolean> {
    const stopKeeping = turn.keepWhile();
    try {
      for (;;) {
        // By halves where there are many: neither those that came here nor those handed over wait for all the others.
        const handedMax = Math.max(ROUND_CLAIMS_MAX / 2, ROUND_CLAIMS_MAX - this.freshOf(campaignId).length);
        const taken = await turn.keepAndTake(handedMax);
        if (!taken) return false;
        const handed = taken.flatMap((item) => this.tryTo(() => readHanded(item)) ?? []);
        const own = this.takeFresh(campaignId, ROUND_CLAIMS_MAX - handed.length);
        const all = [...handed, ...own.map((brought) => ({ deskId: this.deskId, brought }))];
        for (const { id } of own) this.inHand.add(id);
        if (all.length > 0) await this.serveRound(campaignId, all);
        else if (await turn.leave()) return true;
      }
    } catch (error) {
      await turn.release();
      throw error;
    } finally {
      stopKeeping();
    }
  }

  /** In as many transactions as it takes: whoever is served in an early one does not wait for the others. */
  private async serveRound(campaignId: string, handed: readonly Handed[]): Promise<void> {
    let open = handed;
    try {
      while (open.length > 0) {
        const answers = await this.serve(campaignId, open);
        await this.tell(open, answers);
        open = open.filter(({ brought }) => !answers.has(brought.id));
      }
    } finally {
      // Those that got no answer are brought again by whoever waits for it.
      for (const { brought } of open) this.inHand.delete(brought.id);
    }
  }

  private async tell(handed: readonly Handed[], answers: ReadonlyMap<string, DeskMessage>): Promise<void> {
    const byDesk = new Map<string, DeskMessage[]>();
    for (const { deskId, brought } of handed) {
      const answer = answers.get(brought.id);
      if (!answer) continue;
      // Whoever brought it: it may be awaited here as well.
      this.inHand.delete(brought.id);
      this.pending.settle(answer);
      if (deskId !== this.deskId) byDesk.set(deskId, [...(byDesk.get(deskId) ?? []), answer]);
    }
    for (const [deskId, theirs] of byDesk) {
      await this.options.redis.publish(this.channelOf(deskId), JSON.stringify(theirs));
    }
  }

  /** What one transaction came to, by what was brought: all of it, unless the transaction had to end before. */
  private async serve(campaignId: string, handed: readonly Handed[]): Promise<Map<string, DeskMessage>> {
    const commands = new Map(handed.flatMap(({ brought: { id, command } }) => (command ? [[id, command]] : [])));
    const none = new Map<string, DeskMessage>(handed.map(({ brought: { id } }) => [id, { id }]));
    try {
      const { answered, completed, isWhole } = await this.options.serve(campaignId, [...commands.values()]);
      if (completed.length > 0) this.options.onCompleted(completed);
      const served = answered.map((claim) => ({ id: claim.operationId, served: servedOf(claim) }));
      return new Map([...(isWhole ? none : []), ...served.map((each) => [each.id, each] as const)]);
    } catch (error) {
      const failure = messageOf(error);
      return new Map([...none.keys()].map((id) => [id, { id, failure }]));
    }
  }

  private fail(campaignId: string, error: unknown): void {
    for (const { id } of this.takeFresh(campaignId, Infinity)) this.pending.settle({ id, failure: messageOf(error) });
  }

  private hasFresh(campaignId: string): boolean {
    return this.freshOf(campaignId).length > 0;
  }

  private freshOf(campaignId: string): Brought[] {
    return this.fresh.get(campaignId) ?? [];
  }

  private takeFresh(campaignId: string, max: number): Brought[] {
    const fresh = this.freshOf(campaignId);
    if (fresh.length <= max) this.fresh.delete(campaignId);
    else this.fresh.set(campaignId, fresh.slice(max));
    return fresh.slice(0, max);
  }

  /** Anybody may write to Redis: what cannot be read is told, and ends nothing. */
  private tryTo<Read>(read: () => Read): Read | undefined {
    try {
      return read();
    } catch (error) {
      this.options.onError(new Error(`expected a claim desk's message, got: ${messageOf(error)}`));
      return undefined;
    }
  }

  private channelOf(deskId: string): string {
    return `${this.options.prefix}:claims:answers:${deskId}`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
