import { table } from '../../src/cli/terminal.ts';
import { viewSenders } from '../../src/conversations/index.ts';
import { STATUSES } from '../../src/domain/conversation.ts';
import { ASSIGNEE_INDEX } from '../../src/mongo/indexes.ts';
import { countUnassignable } from '../../src/operations/confirmation.ts';
import { parseRequest, preview } from '../../src/operations/index.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { drawSpread, ratioOf, spreadOf, timed, type Spread } from './spread.ts';

export interface CountRow {
  readonly what: string;
  readonly texters: number;
  readonly conversations: number;
  readonly ms: Spread;
  /** The time divided by that of the bare grouped query in the same round. */
  readonly ofBare: Spread;
}

export interface CountsOptions {
  readonly conversations: number;
  readonly rounds: number;
  readonly texters: readonly number[];
}

const BARE = 'bare grouped query';

/** Compares counts and previews with one query that only groups the keys of the same index. */
export async function benchCounts(bench: BenchSandbox, options: CountsOptions): Promise<CountRow[]> {
  const rows: CountRow[] = [];
  for (const texters of options.texters) rows.push(...(await countWith(bench, texters, options)));
  return rows;
}

async function countWith(
  bench: BenchSandbox,
  texters: number,
  { conversations, rounds }: CountsOptions,
): Promise<CountRow[]> {
  const busy = Math.ceil(texters / 2);
  const assigneeIdOf = (index: number) => (index % 3 === 0 ? null : `t${index % busy}`);
  const campaignId = await bench.seedCampaign(texters, conversations, { assigneeIdOf });
  const times = new Map<string, number[]>();
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [what, count] of countsOf(bench, campaignId, texters)) {
      const ms = await timed(count);
      if (round > 0) times.set(what, [...(times.get(what) ?? []), ms]);
    }
    process.stderr.write('.');
  }
  await bench.deleteConversations(campaignId);
  const bare = times.get(BARE) ?? [];
  return [...times].map(([what, own]) => {
    return { what, texters, conversations, ms: spreadOf(own), ofBare: ratioOf(own, bare) };
  });
}

function countsOf(
  { sandbox }: BenchSandbox,
  campaignId: string,
  texters: number,
): readonly (readonly [string, () => Promise<unknown>])[] {
  const { stores, views, database } = sandbox.context;
  const plan = { sources: Array.from({ length: texters }, (_, index) => `t${index}`), statuses: STATUSES };
  const groups = { _id: { assigneeId: '$assigneeId', status: '$status' }, count: { $sum: 1 } };
  const bare = [{ $match: { campaignId } }, { $group: groups }];
  const asked = { operationId: 'op_preview', campaignId, status: 'any' } as const;
  const previewOf = (more: object) => () => preview(stores, parseRequest({ ...asked, ...more }));
  return [
    [BARE, () => database.conversations.aggregate(bare, { hint: ASSIGNEE_INDEX }).toArray()],
    ['senders', () => viewSenders({ stores, views }, campaignId)],
    ['confirmation of all', () => countUnassignable(stores, { campaignId, from: 'everyone' }, plan)],
    ['preview, pool to everyone', previewOf({ kind: 'reassign', from: 'pool', to: 'everyone' })],
    ['preview, everyone to the pool', previewOf({ kind: 'unassign', from: 'everyone' })],
    ['preview, everyone to everyone', previewOf({ kind: 'reassign', from: 'everyone', to: 'everyone' })],
  ];
}

export function drawCounts(rows: readonly CountRow[]): string {
  const lines = rows.map(({ what, texters, conversations, ms, ofBare }) => [
    what,
    texters,
    conversations,
    drawSpread(ms, 0),
    drawSpread(ofBare),
  ]);
  return table(['count', 'texters', 'conversations', 'ms', 'of the bare query'], lines);
}
