import { setTimeout as delay } from 'node:timers/promises';
import { WriteConflict } from '../domain/errors.ts';
import type { LifecycleDeps } from './lifecycle.ts';
import { moveOne, moveSeveral, type OneCommand } from './move-one.ts';
import type { Operation } from './operation.ts';

/** How many single moves one transaction writes. */
const TOGETHER_MAX = 100;
/** A move that meets other writers is repeated for longer. It must not hold up those that come after it. */
const ALONE_MS_MAX = 250;

interface Entry {
  readonly command: OneCommand;
  readonly resolve: (moved: Operation | undefined | Promise<Operation | undefined>) => void;
}

/**
 * Writes the single moves that a worker has of a campaign at the same time in one transaction. A move that comes alone is
 * written at once; those that come while it is written are written together after it.
 */
export class MovesTogether {
  private readonly deps: LifecycleDeps;
  /** The moves that are not being written yet, of each campaign whose moves are being written. */
  private readonly backlogs = new Map<string, Entry[]>();

  constructor(deps: LifecycleDeps) {
    this.deps = deps;
  }

  /** Does the same as {@link moveOne}. An error of one move concerns no other. */
  move(command: OneCommand): Promise<Operation | undefined> {
    return new Promise((resolve) => {
      const { campaignId } = command.request;
      const backlog = this.backlogs.get(campaignId);
      if (backlog) return void backlog.push({ command, resolve });
      const started = [{ command, resolve }];
      this.backlogs.set(campaignId, started);
      void this.work(campaignId, started);
    });
  }

  private async work(campaignId: string, backlog: Entry[]): Promise<void> {
    while (backlog.length > 0) await this.serve(takeRound(backlog));
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

/** Takes the oldest moves. A second move of a conversation stays for the next round. */
function takeRound(backlog: Entry[]): Entry[] {
  const round = new Map<string, Entry>();
  const left: Entry[] = [];
  for (const entry of backlog.splice(0)) {
    const { conversationId } = entry.command.request;
    if (round.size < TOGETHER_MAX && !round.has(conversationId)) round.set(conversationId, entry);
    else left.push(entry);
  }
  backlog.push(...left);
  return [...round.values()];
}
