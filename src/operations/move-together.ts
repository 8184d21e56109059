import { setTimeout as delay } from 'node:timers/promises';
import { WriteConflict } from '../domain/errors.ts';
import type { LifecycleDeps } from './lifecycle.ts';
import { moveOne, moveSeveral, type OneCommand } from './move-one.ts';
import type { Operation } from './operation.ts';

/** How many single moves one transaction writes. */
const TOGETHER_MAX = 100;
/** A move that meets other writers is repeated for longer. It must not hold up those that come after it. */
const ALONE_MS_MAX = 250;

/**
 * After a round of several moves, others take their places in the worker. The next round waits for as many of these, but at most
 * for this part of the time that the round took. Otherwise the first one would be written alone before all others.
 */
const GATHERED_PART = 1 / 2;
const GATHER_MS_MAX = 100;

interface Entry {
  readonly command: OneCommand;
  readonly resolve: (moved: Operation | undefined | Promise<Operation | undefined>) => void;
}

/** The moves of a campaign that are not being written yet. */
class Backlog {
  private entries: Entry[] = [];
  private onEntry = (): void => undefined;

  get length(): number {
    return this.entries.length;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    this.onEntry();
  }

  /** Takes the oldest moves. A second move of a conversation stays for the next round. */
  takeRound(): Entry[] {
    const round = new Map<string, Entry>();
    const left: Entry[] = [];
    for (const entry of this.entries) {
      const { conversationId } = entry.command.request;
      if (round.size < TOGETHER_MAX && !round.has(conversationId)) round.set(conversationId, entry);
      else left.push(entry);
    }
    this.entries = left;
    return [...round.values()];
  }

  /** Waits until there are `count` moves, or the time is over. */
  async gather(count: number, limitMs: number): Promise<void> {
    const isOver = new AbortController();
    this.onEntry = () => this.length >= count && isOver.abort();
    this.onEntry();
    await delay(limitMs, undefined, { signal: isOver.signal }).catch(() => undefined);
    this.onEntry = () => undefined;
  }
}

/**
 * Writes the single moves that a worker has of a campaign at the same time in one transaction. A move that comes alone is
 * written at once; those that come while it is written are written together after it.
 */
export class MovesTogether {
  private readonly deps: LifecycleDeps;
  /** One for each campaign whose moves are being written. */
  private readonly backlogs = new Map<string, Backlog>();

  constructor(deps: LifecycleDeps) {
    this.deps = deps;
  }

  /** Does the same as {@link moveOne}. An error of one move concerns no other. */
  move(command: OneCommand): Promise<Operation | undefined> {
    return new Promise((resolve) => {
      const { campaignId } = command.request;
      const backlog = this.backlogs.get(campaignId);
      if (backlog) return backlog.add({ command, resolve });
      const started = new Backlog();
      started.add({ command, resolve });
      this.backlogs.set(campaignId, started);
      void this.work(campaignId, started);
    });
  }

  private async work(campaignId: string, backlog: Backlog): Promise<void> {
    while (backlog.length > 0) {
      const round = backlog.takeRound();
      const startedAt = performance.now();
      await this.serve(round);
      const limitMs = GATHERED_PART * (performance.now() - startedAt);
      if (round.length > 1) await backlog.gather(round.length, Math.min(limitMs, GATHER_MS_MAX));
    }
    this.backlogs.delete(campaignId);
  }

  /** When a round cannot be written, its halves are written on their own. So one bad move does not stop the others. */
  private async serve(round: readonly Entry[]): Promise<void> {
    const [first] = round;
    if (first && round.length === 1) return this.serveAlone(first);
    const moving = moveSeveral(
      this.deps,
      round.map(({ command }) => command),
    );
    const moved = await moving.catch((error: unknown) => (error instanceof WriteConflict ? undefined : []));
    // Any other error is of the database and concerns all of them.
    if (moved) return round.forEach(({ resolve }, at) => resolve(moving.then(() => moved[at])));
    const half = Math.ceil(round.length / 2);
    await this.serve(round.slice(0, half));
    await this.serve(round.slice(half));
  }

  private async serveAlone({ command, resolve }: Entry): Promise<void> {
    const moved = moveOne(this.deps, command);
    resolve(moved);
    await Promise.race([moved.catch(() => undefined), delay(ALONE_MS_MAX)]);
  }
}
