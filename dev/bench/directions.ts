import { table } from '../../src/cli/terminal.ts';
import { HISTORY_MOVES_MAX, type Assignee } from '../../src/domain/conversation.ts';
import { objectIds } from '../../src/mongo/documents.ts';
import { BY_ID } from '../../src/mongo/indexes.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { DIRECTIONS, type Assignment, type Direction } from './direction-list.ts';
import { InProcessRunner } from './in-process.ts';
import { median } from './load.ts';
import { drawSpread, ratioOf, type Spread } from './spread.ts';

export interface DirectionRow {
  readonly direction: string;
  readonly conversations: number;
  /** Conversations per second of each round, with Baton and with raw updates. */
  readonly baton: readonly number[];
  readonly raw: readonly number[];
  readonly ofRaw: Spread;
}

export interface DirectionsOptions {
  readonly conversations: number;
  readonly rounds: number;
}

/**
 * Moves all conversations of a campaign in each direction: with one raw `updateMany` for each target, which checks where they
 * come from, and through Baton.
 */
export async function benchDirections(
  bench: BenchSandbox,
  { conversations, rounds }: DirectionsOptions,
): Promise<DirectionRow[]> {
  const rows: DirectionRow[] = [];
  for (const direction of DIRECTIONS) {
    const campaignId = await bench.seedCampaign(direction.texters, conversations);
    const runs = new DirectionRuns(bench, campaignId, await bench.conversationIds(campaignId), direction);
    const [raw, baton]: [number[], number[]] = [[], []];
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      const rates = [await runs.raw(), await runs.baton()] as const;
      if (round === 0) continue;
      raw.push(rates[0]);
      baton.push(rates[1]);
    }
    rows.push({ direction: direction.name, conversations, baton, raw, ofRaw: ratioOf(baton, raw) });
    process.stderr.write('.');
    await bench.deleteConversations(campaignId);
  }
  return rows;
}

class DirectionRuns {
  private readonly bench: BenchSandbox;
  private readonly campaignId: string;
  private readonly ids: readonly string[];
  private readonly direction: Direction;
  private readonly runner: InProcessRunner;

  constructor(bench: BenchSandbox, campaignId: string, ids: readonly string[], direction: Direction) {
    this.bench = bench;
    this.campaignId = campaignId;
    this.ids = ids;
    this.direction = direction;
    this.runner = new InProcessRunner(bench);
  }

  async raw(): Promise<number> {
    const { before, after, isUndo } = this.direction;
    const [from, to] = isUndo ? [after, before] : [before, after];
    await this.place(from);
    const sources = [...new Set(this.ids.map((_, index) => from(index)))];
    return this.rate(() => this.assign(to, { assigneeId: { $in: sources } }));
  }

  async baton(): Promise<number> {
    const { before, asked, isUndo } = this.direction;
    const { campaignId, runner } = this;
    await this.place(before);
    const first = { ...asked, campaignId };
    if (!isUndo) return this.rate(async () => (await runner.run(first)).moved);
    const { operationId: undoes } = await runner.run(first);
    return this.rate(async () => (await runner.run({ kind: 'undo', campaignId, undoes })).moved);
  }

  private async rate(move: () => Promise<number>): Promise<number> {
    const startedAt = performance.now();
    const moved = await move();
    if (moved !== this.ids.length) throw new Error(`${moved} of ${this.ids.length} conversations moved`);
    return moved / ((performance.now() - startedAt) / 1_000);
  }

  /** Puts every conversation where it is before a run. */
  private async place(assignment: Assignment): Promise<void> {
    const move = { operationId: 'op_0123456789abcdef', from: 't1', to: 't2', at: new Date(), by: null };
    const history = this.direction.hasHistory ? Array.from({ length: HISTORY_MOVES_MAX }, () => move) : [];
    await this.assign(assignment, {}, { history, lastOperationId: null });
  }

  /** Sends one statement for each assignee. */
  private async assign(assignment: Assignment, filter: object, fields: object = {}): Promise<number> {
    const { conversations } = this.bench.sandbox.context.database;
    const $set = { assignedAt: new Date(), ...fields };
    const updates = [...idsByAssignee(this.ids, assignment)].map(([assigneeId, ids]) => ({
      updateMany: {
        filter: { _id: { $in: objectIds(ids) }, campaignId: this.campaignId, ...filter },
        update: { $set: { assigneeId, ...$set }, $inc: { assignmentVersion: 1 } },
        hint: BY_ID,
      },
    }));
    return (await conversations.bulkWrite(updates)).modifiedCount;
  }
}

function idsByAssignee(ids: readonly string[], assignment: Assignment): Map<Assignee, string[]> {
  const found = new Map<Assignee, string[]>();
  for (const [index, id] of ids.entries()) {
    const assigneeId = assignment(index);
    const own = found.get(assigneeId);
    if (own) own.push(id);
    else found.set(assigneeId, [id]);
  }
  return found;
}

export function drawDirections(rows: readonly DirectionRow[]): string {
  const lines = rows.map(({ direction, conversations, baton, raw, ofRaw }) => [
    direction,
    conversations,
    Math.round(median(baton)),
    Math.round(median(raw)),
    drawSpread(ofRaw),
  ]);
  return table(['direction', 'conversations', 'per second', 'raw', 'of raw'], lines);
}
