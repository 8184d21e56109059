import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ClaimCommand, Round } from '../app/ports.ts';
import type { Claim } from '../domain/claim.ts';
import { ClaimTurn } from './claim-turn.ts';
import { PendingClaims, servedOf, type ClaimMessage, type Served } from './pending-claims.ts';

/** Claims in one round: what one transaction serves. */
const ROUND_CLAIMS_MAX = 100;

export interface DeskOptions {
  /** For commands. */
  readonly redis: Redis;
  /** For listening only: a connection that subscribes can do nothing else. */
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly serve: (campaignId: string, claims: readonly ClaimCommand[]) => Promise<Round>;
  /** Told of waiting claims that a round has completed. */
  readonly onCompleted: (claims: readonly Claim[]) => void;
  /** Told when a look at the waiting claims failed. */
  readonly onError: (error: Error) => void;
}

/** What is brought to a desk: a claim, or `null` for a look at the claims that wait. */
type Brought = ClaimCommand | null;

interface Handed {
  readonly deskId: string;
  readonly brought: Brought;
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
  private readonly pending = new PendingClaims();

  constructor(options: DeskOptions) {
    this.options = options;
    options.subscriber.on('message', (_channel: string, message: string) => {
      for (const answer of JSON.parse(message) as ClaimMessage[]) this.pending.settle(answer);
    });
  }

  async open(): Promise<void> {
    await this.options.subscriber.subscribe(this.channelOf(this.deskId));
  }

  /** The claim as it was served, by whichever worker. Throws when serving failed; to be tried again. */
  async submit(command: ClaimCommand): Promise<Served> {
    const { operationId, campaignId } = command.request;
    return this.pending.answerTo(operationId, () => this.bring(campaignId, command));
  }

  /** Conversations may have come back to a campaign's pool: serves the claims that wait for them, soon. */
  look(campaignId: string): void {
    this.bring(campaignId, null);
  }

  private bring(campaignId: string, brought: Brought): void {
    this.fresh.set(campaignId, [...(this.fresh.get(campaignId) ?? []), brought]);
    if (!this.busy.has(campaignId)) void this.work(campaignId);
  }

  /** Works until nothing is left that was brought here, or handed over while this desk had the turn. */
  private async work(campaignId: string): Promise<void> {
    this.busy.add(campaignId);
    const turn = new ClaimTurn(this.options.redis, this.options.prefix, campaignId, this.deskId);
    try {
      do {
        if (await turn.take()) await this.serveAll(turn, campaignId);
        else await this.handOver(turn, campaignId);
        // Handed over after the last look, by one who found the turn taken: they rely on this second look.
      } while (this.hasFresh(campaignId) || ((await turn.hasHanded()) && (await this.serveHanded(turn, campaignId))));
    } catch (error) {
      this.fail(campaignId, error);
    } finally {
      this.busy.delete(campaignId);
      // Brought while the last look was on its way: nobody else would begin with it.
      if (this.hasFresh(campaignId)) void this.work(campaignId);
    }
  }

  private async handOver(turn: ClaimTurn, campaignId: string): Promise<void> {
    const handed = this.takeFresh(campaignId, Infinity).map((brought) => ({ deskId: this.deskId, brought }));
    await turn.handOver(handed.map((each) => JSON.stringify(each satisfies Handed)));
  }

  /** False when another has the turn, and so will look. */
  private async serveHanded(turn: ClaimTurn, campaignId: string): Promise<boolean> {
    if (!(await turn.take())) return false;
    await this.serveAll(turn, campaignId);
    return true;
  }

  private async serveAll(turn: ClaimTurn, campaignId: string): Promise<void> {
    try {
      for (;;) {
        const handed = (await turn.takeHanded(ROUND_CLAIMS_MAX)).map((item) => JSON.parse(item) as Handed);
        const own = this.takeFresh(campaignId, ROUND_CLAIMS_MAX - handed.length);
        const all = [...handed, ...own.map((brought) => ({ deskId: this.deskId, brought }))];
        if (all.length === 0) return;
        await this.serveRound(campaignId, all);
        if (!(await turn.keep())) return;
      }
    } finally {
      await turn.release();
    }
  }

  private async serveRound(campaignId: string, handed: readonly Handed[]): Promise<void> {
    const commands = new Map(
      handed.flatMap(({ brought }) => (brought ? [[brought.request.operationId, brought]] : [])),
    );
    const answers = await this.answersTo(campaignId, [...commands.values()]);
    const byDesk = new Map<string, ClaimMessage[]>();
    for (const { deskId, brought } of handed) {
      const answer = answers.get(brought?.request.operationId ?? '');
      if (answer) byDesk.set(deskId, [...(byDesk.get(deskId) ?? []), answer]);
    }
    for (const [deskId, own] of byDesk) {
      if (deskId === this.deskId) own.forEach((answer) => this.pending.settle(answer));
      else await this.options.redis.publish(this.channelOf(deskId), JSON.stringify(own));
    }
  }

  /** Round after round, while more claims wait than one round looks at. */
  private async answersTo(campaignId: string, commands: readonly ClaimCommand[]): Promise<Map<string, ClaimMessage>> {
    const { serve, onCompleted, onError } = this.options;
    try {
      for (;;) {
        const { answered, completed, more } = await serve(campaignId, commands);
        if (completed.length > 0) onCompleted(completed);
        if (!more) return new Map(answered.map((claim) => [claim.operationId, { served: servedOf(claim) }]));
      }
    } catch (error) {
      if (commands.length === 0) onError(asError(error));
      const { message: failure } = asError(error);
      return new Map(commands.map(({ request: { operationId: claimId } }) => [claimId, { claimId, failure }]));
    }
  }

  private fail(campaignId: string, error: unknown): void {
    const { message: failure } = asError(error);
    for (const brought of this.takeFresh(campaignId, Infinity)) {
      if (brought) this.pending.settle({ claimId: brought.request.operationId, failure });
      else this.options.onError(asError(error));
    }
  }

  private hasFresh(campaignId: string): boolean {
    return (this.fresh.get(campaignId) ?? []).length > 0;
  }

  private takeFresh(campaignId: string, max: number): Brought[] {
    const fresh = this.fresh.get(campaignId) ?? [];
    if (fresh.length <= max) this.fresh.delete(campaignId);
    else this.fresh.set(campaignId, fresh.slice(max));
    return fresh.slice(0, max);
  }

  private channelOf(deskId: string): string {
    return `${this.options.prefix}:claims:answers:${deskId}`;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
