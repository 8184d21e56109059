import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ClaimCommand, Round } from '../app/ports.ts';
import type { Claim } from '../domain/claim.ts';
import { ClaimTurn } from './claim-turn.ts';

/** Claims in one round: what one transaction serves. */
const ROUND_CLAIMS_MAX = 100;
/** A claim handed over and not answered by then is handed over again: its server may have died with it. */
const ANSWER_MS_MAX = 3_000;

/** A claim's answer, as it travels from the worker that served it to the one that holds its job. */
export interface Served extends Pick<
  Claim,
  'operationId' | 'requestHash' | 'madeBy' | 'state' | 'granted' | 'receipt' | 'error'
> {
  /** Until when it waits for more, in milliseconds since 1970; `null` when it has ended. */
  readonly waitsUntil: number | null;
}

export interface DeskOptions {
  /** For commands. */
  readonly redis: Redis;
  /** For listening only: a connection that subscribes can do nothing else. */
  readonly subscriber: Redis;
  readonly prefix: string;
  readonly serve: (campaignId: string, claims: readonly ClaimCommand[]) => Promise<Round>;
  /** Told of waiting claims that a round has completed. */
  readonly onCompleted: (claims: readonly Claim[]) => void;
}

type Answer = { readonly served: Served } | { readonly claimId: string; readonly failure: string };

interface Handed {
  readonly deskId: string;
  readonly command: ClaimCommand;
}

interface Pending {
  readonly command: ClaimCommand;
  readonly settle: (answer: Answer) => void;
}

/**
 * Where a worker's claims are gathered, so that all that wait on one campaign are served together, in one read and one
 * write, by one worker: whoever has the campaign's turn serves the others' claims too. Claims that meet each other in
 * the database instead would spend their time on conflicts.
 */
export class ClaimDesk {
  private readonly options: DeskOptions;
  private readonly deskId = randomUUID();
  private readonly fresh = new Map<string, ClaimCommand[]>();
  private readonly pending = new Map<string, Set<Pending>>();
  private readonly busy = new Set<string>();

  constructor(options: DeskOptions) {
    this.options = options;
    options.subscriber.on('message', (_channel: string, message: string) => {
      for (const answer of JSON.parse(message) as Answer[]) this.settle(answer);
    });
  }

  async open(): Promise<void> {
    await this.options.subscriber.subscribe(this.channelOf(this.deskId));
  }

  /** The claim as it was served, by whichever worker. Throws when serving failed; to be tried again. */
  async submit(command: ClaimCommand): Promise<Served> {
    const { operationId, campaignId } = command.request;
    return new Promise<Served>((resolve, reject) => {
      const settle = (answer: Answer): void => {
        clearInterval(again);
        if ('served' in answer) resolve(answer.served);
        else reject(new Error(`claim ${operationId} was not served: ${answer.failure}`));
      };
      const again = setInterval(() => this.bring(campaignId, [command]), ANSWER_MS_MAX);
      const waiting = this.pending.get(operationId) ?? new Set();
      this.pending.set(operationId, waiting.add({ command, settle }));
      this.bring(campaignId, [command]);
    });
  }

  /** Conversations may have come back to a campaign's pool: serves the claims that wait for them. */
  async serveWaiting(campaignId: string): Promise<void> {
    this.options.onCompleted((await this.options.serve(campaignId, [])).completed);
  }

  private bring(campaignId: string, commands: readonly ClaimCommand[]): void {
    this.fresh.set(campaignId, [...(this.fresh.get(campaignId) ?? []), ...commands]);
    if (this.busy.has(campaignId)) return;
    this.busy.add(campaignId);
    void this.work(campaignId);
  }

  private async work(campaignId: string): Promise<void> {
    const turn = new ClaimTurn(this.options.redis, this.options.prefix, campaignId, this.deskId);
    try {
      do {
        if (!(await turn.take())) await this.handOver(turn, campaignId);
        else await this.serveAll(turn, campaignId);
        // Handed over after the last look, by one who found the turn taken: they rely on this second look.
      } while (this.hasFresh(campaignId) || ((await turn.hasHanded()) && (await this.takenAgain(turn, campaignId))));
    } catch (error) {
      for (const { request } of this.takeFresh(campaignId, Infinity)) {
        this.settle({ claimId: request.operationId, failure: messageOf(error) });
      }
    } finally {
      this.busy.delete(campaignId);
    }
  }

  private async handOver(turn: ClaimTurn, campaignId: string): Promise<void> {
    const handed = this.takeFresh(campaignId, Infinity).map((command) => ({ deskId: this.deskId, command }));
    await turn.handOver(handed.map((each) => JSON.stringify(each satisfies Handed)));
  }

  /** False when another has the turn, and so will look. */
  private async takenAgain(turn: ClaimTurn, campaignId: string): Promise<boolean> {
    if (!(await turn.take())) return false;
    await this.serveAll(turn, campaignId);
    return true;
  }

  private async serveAll(turn: ClaimTurn, campaignId: string): Promise<void> {
    try {
      for (;;) {
        const handed = (await turn.takeHanded(ROUND_CLAIMS_MAX)).map((item) => JSON.parse(item) as Handed);
        const own = this.takeFresh(campaignId, ROUND_CLAIMS_MAX - handed.length);
        const all = [...handed, ...own.map((command) => ({ deskId: this.deskId, command }))];
        if (all.length === 0) return;
        await this.serveRound(campaignId, all);
        await turn.keep();
      }
    } finally {
      await turn.release();
    }
  }

  private async serveRound(campaignId: string, handed: readonly Handed[]): Promise<void> {
    const commands = new Map(handed.map(({ command }) => [command.request.operationId, command]));
    const answers = await this.answersTo(campaignId, [...commands.values()]);
    const byDesk = new Map<string, Answer[]>();
    for (const { deskId, command } of handed) {
      const answer = answers.get(command.request.operationId);
      if (answer) byDesk.set(deskId, [...(byDesk.get(deskId) ?? []), answer]);
    }
    for (const [deskId, own] of byDesk) {
      if (deskId === this.deskId) own.forEach((answer) => this.settle(answer));
      else await this.options.redis.publish(this.channelOf(deskId), JSON.stringify(own));
    }
  }

  private async answersTo(campaignId: string, commands: readonly ClaimCommand[]): Promise<Map<string, Answer>> {
    try {
      const { answered, completed } = await this.options.serve(campaignId, commands);
      if (completed.length > 0) this.options.onCompleted(completed);
      return new Map(answered.map((claim) => [claim.operationId, { served: servedOf(claim) }]));
    } catch (error) {
      const failure = messageOf(error);
      return new Map(commands.map(({ request: { operationId: claimId } }) => [claimId, { claimId, failure }]));
    }
  }

  private settle(answer: Answer): void {
    const claimId = 'served' in answer ? answer.served.operationId : answer.claimId;
    const waiting = this.pending.get(claimId);
    this.pending.delete(claimId);
    waiting?.forEach((each) => each.settle(answer));
  }

  private hasFresh(campaignId: string): boolean {
    return (this.fresh.get(campaignId) ?? []).length > 0;
  }

  private takeFresh(campaignId: string, max: number): ClaimCommand[] {
    const fresh = this.fresh.get(campaignId) ?? [];
    const taken = fresh.slice(0, max);
    if (taken.length === fresh.length) this.fresh.delete(campaignId);
    else this.fresh.set(campaignId, fresh.slice(max));
    return taken;
  }

  private channelOf(deskId: string): string {
    return `${this.options.prefix}:claims:answers:${deskId}`;
  }
}

export function servedOf(claim: Claim): Served {
  const { operationId, requestHash, madeBy, state, granted, receipt, error, waiting } = claim;
  const waitsUntil = waiting ? waiting.until.getTime() : null;
  return { operationId, requestHash, madeBy, state, granted, receipt, error, waitsUntil };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
