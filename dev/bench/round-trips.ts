import { table } from '../../src/cli/terminal.ts';
import { createContext } from '../../src/context.ts';
import type { BenchSandbox } from './bench-sandbox.ts';
import { InProcessRunner } from './in-process.ts';

export interface TripsRow {
  readonly what: string;
  readonly conversations: number;
  /** Commands sent to the database. */
  readonly trips: number;
}

const TEXTERS = 10;

/** Counts the commands that an operation sends to the database, with the command monitoring of the driver. */
export async function countRoundTrips(bench: BenchSandbox, conversations: number): Promise<TripsRow[]> {
  const { config } = bench.sandbox;
  const uri = `${config.mongo.uri}${config.mongo.uri.includes('?') ? '&' : '?'}monitorCommands=true`;
  const context = await createContext({ ...config, mongo: { ...config.mongo, uri } });
  const campaignId = await bench.seedCampaign(TEXTERS, conversations);
  const [conversationId = ''] = await bench.conversationIds(campaignId);
  let trips = 0;
  context.database.client.on('commandStarted', () => (trips += 1));
  const runner = new InProcessRunner(bench, context);
  const count = async (what: string, asked: object): Promise<TripsRow> => {
    trips = 0;
    const { moved: conversations } = await runner.run({ ...asked, campaignId });
    return { what, conversations, trips };
  };
  try {
    return [
      await count('a single reassign', { kind: 'reassign-one', conversationId, to: { texterIds: ['t1'] } }),
      await count('all of the pool', {
        kind: 'reassign',
        from: 'pool',
        to: 'everyone',
        status: 'any',
      }),
    ];
  } finally {
    await context.close();
    await bench.deleteConversations(campaignId);
  }
}

export function drawRoundTrips(rows: readonly TripsRow[]): string {
  const lines = rows.map(({ what, conversations, trips }) => [
    what,
    conversations,
    trips,
    ((trips / conversations) * 1_000).toFixed(1),
  ]);
  return table(['operation', 'conversations', 'round trips', 'per 1,000'], lines);
}
