import { table } from '../../src/cli/terminal.ts';
import { parseRequest, preview } from '../../src/operations/index.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { InProcessRunner, longestBlockMs } from './in-process.ts';
import { drawSpread, ratioOf, spreadOf, timed, type Spread } from './spread.ts';

export interface TextersRow {
  readonly what: string;
  readonly texters: number;
  readonly conversations: number;
  /** Conversations per second, each counted once for a preview. */
  readonly perSecond: Spread;
  /** The rate divided by the rate with the fewest texters in the same round. */
  readonly ofFew: Spread;
  /** The longest time for which the event loop was blocked. */
  readonly blockedMs: number;
}

export interface TextersOptions {
  readonly conversations: number;
  readonly rounds: number;
  readonly texters: readonly number[];
}

const EVERYONE = { kind: 'reassign', from: 'everyone', to: 'everyone', status: 'any' } as const;
const LEVEL = { ...EVERYONE, from: 'pool', spread: 'level' } as const;
const UNASSIGN = { kind: 'unassign', from: 'everyone', status: 'any', confirm: 10_000_000 } as const;

/** Moves and previews the same number of conversations with few and with many texters. */
export async function benchTexters(bench: BenchSandbox, options: TextersOptions): Promise<TextersRow[]> {
  const runs = options.texters.map((texters) => new TextersRuns(bench, texters, options.conversations));
  for (const run of runs) await run.seed();
  for (let round = 0; round < options.rounds; round += 1) {
    for (const run of runs) await run.round();
    process.stderr.write('.');
  }
  const [few] = runs;
  return runs.flatMap((run) => run.rows(few ?? run));
}

interface Run {
  readonly perSecond: number;
  readonly blockedMs: number;
}

class TextersRuns {
  private readonly bench: BenchSandbox;
  private readonly texters: number;
  private readonly conversations: number;
  private readonly runner: InProcessRunner;
  private readonly runs = new Map<string, Run[]>();
  private campaignId = '';

  constructor(bench: BenchSandbox, texters: number, conversations: number) {
    this.bench = bench;
    this.texters = texters;
    this.conversations = conversations;
    this.runner = new InProcessRunner(bench);
  }

  /** A third of the conversations is in the pool, and half of the texters have the others. */
  async seed(): Promise<void> {
    this.campaignId = await this.bench.seedCampaign(this.texters, this.conversations, {
      assigneeIdOf: this.assigneeIdOf,
    });
  }

  async round(): Promise<void> {
    await this.measure('preview of everyone to everyone', async () => (await this.preview()).moved);
    await this.measure('everyone to everyone', () => this.move(EVERYONE));
    await this.measure('everyone to the pool', () => this.move(UNASSIGN));
    await this.measure('the pool to everyone, level', () => this.move(LEVEL));
    await this.restore();
  }

  rows(few: TextersRuns): TextersRow[] {
    return [...this.runs].map(([what, runs]) => {
      const rates = runs.map(({ perSecond }) => perSecond);
      const ofFew = (few.runs.get(what) ?? []).map(({ perSecond }) => perSecond);
      const common = { what, texters: this.texters, conversations: this.conversations };
      const blockedMs = Math.max(...runs.map((run) => run.blockedMs));
      return { ...common, perSecond: spreadOf(rates), ofFew: ratioOf(rates, ofFew), blockedMs };
    });
  }

  private readonly assigneeIdOf = (index: number) =>
    index % 3 === 0 ? null : `t${index % Math.ceil(this.texters / 2)}`;

  private async measure(what: string, work: () => Promise<number>): Promise<void> {
    let moved = 0;
    let ms = 0;
    const blockedMs = await longestBlockMs(async () => (ms = await timed(async () => (moved = await work()))));
    const perSecond = moved / (ms / 1_000);
    this.runs.set(what, [...(this.runs.get(what) ?? []), { perSecond, blockedMs }]);
  }

  private preview() {
    const request = { ...EVERYONE, operationId: 'op_preview', campaignId: this.campaignId };
    return preview(this.bench.sandbox.context.stores, parseRequest(request));
  }

  private async move(asked: object): Promise<number> {
    return (await this.runner.run({ ...asked, campaignId: this.campaignId })).moved;
  }

  /** Deletes the conversations and inserts them as they were, because an operation changes who has how many. */
  private async restore(): Promise<void> {
    await this.bench.deleteConversations(this.campaignId);
    await this.bench.seedConversations(this.campaignId, this.conversations, this.assigneeIdOf);
  }
}

export function drawTexters(rows: readonly TextersRow[]): string {
  const lines = rows.map(({ what, texters, conversations, perSecond, ofFew, blockedMs }) => [
    what,
    texters,
    conversations,
    drawSpread(perSecond, 0),
    drawSpread(ofFew),
    blockedMs.toFixed(0),
  ]);
  return table(['what', 'texters', 'conversations', 'per second', 'of the fewest', 'blocked ms'], lines);
}
