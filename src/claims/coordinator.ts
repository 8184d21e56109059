import type { RedisConnection } from '../queue/connection.ts';
import { randomUUID } from 'node:crypto';
import type { ClaimCommand, Round } from '../operations/ports.ts';
import type { Claim } from './claim.ts';
import { ClaimTurn } from './lease.ts';
import {
  readHanded,
  readMessages,
  servedOf,
  type Brought,
  type DeskMessage,
  type Handed,
  type Served,
} from './messages.ts';
import { ClaimTray } from './backlog.ts';
import { PendingClaims } from './pending-claims.ts';

/** Claims and looks that are taken up at once; what does not fit into one round stays in hand for the next. */
const HAND_MAX = 100;

export interface DeskOptions {
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
export class ClaimDesk {
  private readonly options: DeskOptions;
  private readonly deskId = randomUUID();
  /** By campaign, while there is anything to do. */
  private readonly trays = new Map<string, ClaimTray>();
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
    const handed = { deskId: this.deskId, brought };
    const tray = this.trays.get(campaignId);
    // Brought again because its answer takes long: it is here already.
    if (tray?.has(handed)) return;
    if (tray) return tray.put(handed);
    const started = new ClaimTray();
    this.trays.set(campaignId, started);
    started.put(handed);
    void this.work(campaignId, started);
  }

  /** Works until nothing is left that was brought here, or handed over while this desk had the turn. */
  private async work(campaignId: string, tray: ClaimTray): Promise<void> {
    const turn = new ClaimTurn(this.options.redis, this.options.prefix, campaignId, this.deskId);
    let isDone: boolean;
    do {
      try {
        isDone = !(await this.takeOrHandOver(turn, tray)) || (await this.serveAll(turn, campaignId, tray));
      } catch (error) {
        this.fail(tray, error);
        isDone = true;
      }
      // Brought meanwhile, it has to be begun with here: nobody else would.
    } while (!isDone || tray.all.length > 0);
    this.trays.delete(campaignId);
  }

  /** True: it is this desk's turn. False: whatever is here is handed over. */
  private async takeOrHandOver(turn: ClaimTurn, tray: ClaimTray): Promise<boolean> {
    const items = tray.all.map((each) => JSON.stringify(each));
    if (await turn.takeOrHandOver(items)) return true;
    tray.take(items.length);
    return false;
  }

  /** True when all is served that was brought here or handed over. False when its turn ran out before. */
  private async serveAll(turn: ClaimTurn, campaignId: string, tray: ClaimTray): Promise<boolean> {
    const stopKeeping = turn.keepWhile();
    try {
      for (;;) {
        const taken = await turn.keepAndTake(handedMax(tray));
        if (!taken) return false;
        const handed = taken.flatMap((item) => this.tryTo(() => readHanded(item, campaignId)) ?? []);
        tray.takeUp(handed, HAND_MAX);
        if (tray.inHand.length > 0) await this.serveRound(campaignId, tray);
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
  private async serveRound(campaignId: string, tray: ClaimTray): Promise<void> {
    const answers = await this.serve(campaignId, tray.inHand);
    const byDesk = new Map<string, DeskMessage[]>();
    for (const { deskId, answer } of tray.takeAnswered(answers)) {
      // This desk's own, or one that was brought here as well.
      this.pending.settle(answer);
      if (deskId !== this.deskId) byDesk.set(deskId, [...(byDesk.get(deskId) ?? []), answer]);
    }
    // The next round does not wait for it: who is not told brings the claim again.
    for (const [deskId, theirs] of byDesk) {
      this.options.redis.publish(this.channelOf(deskId), JSON.stringify(theirs)).catch(this.options.onError);
    }
  }

  /** What a round came to, by the ids of what was brought; without those that it did not get to. */
  private async serve(campaignId: string, inHand: readonly Handed[]): Promise<Map<string, DeskMessage>> {
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

  private fail(tray: ClaimTray, error: unknown): void {
    const failure = messageOf(error);
    for (const { brought } of tray.take(Infinity)) this.pending.settle({ id: brought.id, failure });
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

/** By halves where there are many: neither those that came here nor those handed over wait for all the others. */
function handedMax({ inHand, untakenCount }: ClaimTray): number {
  const room = Math.max(0, HAND_MAX - inHand.length);
  return Math.max(Math.ceil(room / 2), room - untakenCount);
}

function byId(messages: readonly DeskMessage[]): Map<string, DeskMessage> {
  return new Map(messages.map((message) => [message.id, message]));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
