import { setTimeout as sleep } from 'node:timers/promises';
import { Types } from 'mongoose';
import type { Random } from '../../../test/support/random.ts';
import type { Producer } from '../../../src/producer/producer-port.ts';
import type { Requests } from './requests.ts';
import type { Entry, UpstreamApp } from './upstream-app.ts';

/** How a texter's time was spent, in milliseconds, and what came of it. */
export interface TexterTime {
  present: number;
  /** In claims that were sent while the pool had conversations for them. */
  inClaims: number;
  /** In writes of messages. */
  inWrites: number;
  /** In claims that were sent while the pool was empty, and in pauses. */
  idle: number;
  messages: number;
}

export interface TexterDeps {
  readonly producer: Producer;
  readonly requests: Requests;
  readonly app: UpstreamApp;
  readonly random: Random;
  readonly newId: (prefix: string) => string;
}

/** How long a claim waits for conversations if the claim before it was given none. */
const CLAIM_WAIT_MS = { least: 2_000, most: 6_000 };
/** The share of claims that wait, although the claim before them was given something. */
const WAITING_CLAIMS = 0.1;
const CLAIM_COUNT = { least: 5, most: 20 };
/** How long a texter does something else after a refusal: the texter is paused, or has too many open conversations. */
const AFTER_REFUSAL_MS = 1_000;

/** Answers and sends messages at a steady pace, and claims more conversations when none is left. */
export class SimulatedTexter {
  readonly time: TexterTime = { present: 0, inClaims: 0, inWrites: 0, idle: 0, messages: 0 };
  private readonly deps: TexterDeps;
  private readonly campaignId: string;
  private readonly texterId: string;
  private entries: Entry[] = [];
  private wasGivenNone = false;

  constructor(deps: TexterDeps, campaignId: string, texterId: string) {
    this.deps = deps;
    this.campaignId = campaignId;
    this.texterId = texterId;
  }

  async work(messagesPerSecond: number, stopped: AbortSignal): Promise<void> {
    const intervalMs = 1_000 / messagesPerSecond;
    const startedAt = performance.now();
    let dueAt = startedAt + this.deps.random.next() * intervalMs;
    while (!stopped.aborted) {
      await sleep(Math.max(0, dueAt - performance.now()));
      const entry = await this.nextEntry();
      if (entry) {
        await timed(this.time, 'inWrites', () => this.deps.app.sendMessage(this.texterId, entry));
        this.time.messages += 1;
      }
      dueAt = Math.max(dueAt + intervalMs, performance.now());
    }
    this.time.present = performance.now() - startedAt;
  }

  private async nextEntry(): Promise<Entry | undefined> {
    if (this.entries.length === 0) this.entries = await this.deps.app.read(this.texterId);
    if (this.entries.length === 0) await this.claim();
    return this.entries.shift();
  }

  private async claim(): Promise<void> {
    const { app, random, requests, producer, newId } = this.deps;
    const isWaiting = this.wasGivenNone || random.chance(WAITING_CLAIMS);
    const claim = {
      operationId: newId('cl'),
      campaignId: this.campaignId,
      texterId: this.texterId,
      count: random.between(CLAIM_COUNT.least, CLAIM_COUNT.most),
      ...(isWaiting && { waitMs: random.between(CLAIM_WAIT_MS.least, CLAIM_WAIT_MS.most) }),
    };
    const kind = isWaiting ? 'claim that waits' : 'claim';
    const target = { kind, operationId: claim.operationId, campaignId: this.campaignId };
    const part = (await app.isPoolFilled()) ? 'inClaims' : 'idle';
    const result = await timed(this.time, part, () => requests.ask(target, () => producer.selfAssign(claim)));
    this.wasGivenNone = result?.conversationIds.length === 0;
    const given = result?.conversationIds ?? [];
    this.entries = given.map((id) => ({ id: new Types.ObjectId(id), status: 'not-started' }));
    if (!result) await timed(this.time, 'idle', () => sleep(AFTER_REFUSAL_MS));
  }
}

async function timed<Result>(
  time: TexterTime,
  part: 'inClaims' | 'inWrites' | 'idle',
  work: () => Promise<Result>,
): Promise<Result> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    time[part] += performance.now() - startedAt;
  }
}
