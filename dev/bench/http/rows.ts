import { Readable } from 'node:stream';
import { importContacts, openCsv, openNamelessFile, piecesOf, writeAll } from '../../../src/contacts/index.ts';
import { timed } from '../spread.ts';
import type { HttpBench } from './parts.ts';

const KIB_OF_MIB = 1_024;
const NDJSON = 'application/x-ndjson';
const ROWS_OF_PIECE = 1_000;
const FIRST_PHONE = 12_022_000_000;
const WAYS = ['baton import', 'one request'] as const;

export interface UpsertRow {
  readonly way: (typeof WAYS)[number];
  readonly conversations: number;
  readonly perSecond: number;
  /** How far the memory of the server rises above what it had before the first round. */
  readonly serverMibOverIdle: number;
}

/** Adds the same conversations to new campaigns: as an import of a CSV file, and with one request of NDJSON. */
export async function benchUpsert({ bench, server }: HttpBench, rows: number, rounds: number): Promise<UpsertRow[]> {
  const measured: UpsertRow[] = [];
  server.resetPeak();
  const idleKib = server.residentKib();
  // The first round of each way also compiles its code.
  for (let round = 0; round <= rounds; round += 1) {
    for (const way of WAYS) {
      const campaignId = await bench.seedCampaign(2, 0);
      const pieces = piecesFor(way, rows);
      const path = `/v1/campaigns/${campaignId}/conversations?country=US`;
      const upsert = (): Promise<unknown> => server.client.upload(path, NDJSON, Readable.from(pieces));
      const ms = way === 'one request' ? await timed(upsert) : await importTime(bench, campaignId, pieces);
      const serverMibOverIdle = (server.peakKib() - idleKib) / KIB_OF_MIB;
      await bench.requireConversations(campaignId, rows);
      if (round > 0) measured.push({ way, conversations: rows, perSecond: rows / (ms / 1_000), serverMibOverIdle });
      await bench.deleteConversations(campaignId);
    }
  }
  return measured;
}

/** Imports as the command line does, without the start of its process. */
async function importTime(
  { sandbox }: HttpBench['bench'],
  campaignId: string,
  pieces: readonly Buffer[],
): Promise<number> {
  const file = await openNamelessFile();
  try {
    for (const piece of pieces) await writeAll(file, piece);
    return await timed(async () => {
      const csv = await openCsv(() => piecesOf(file));
      await importContacts(sandbox.context, campaignId, csv, { country: 'US' });
    });
  } finally {
    await file.close();
  }
}

function piecesFor(way: (typeof WAYS)[number], rows: number): Buffer[] {
  const header = way === 'one request' ? [] : [Buffer.from('external_id,name,phone\n')];
  const toLine = (index: number): string => {
    const [externalId, name, phone] = [`v-${index}`, `Contact ${index}`, `+${FIRST_PHONE + index}`];
    return way === 'one request' ? JSON.stringify({ externalId, name, phone }) : `${externalId},${name},${phone}`;
  };
  const starts = Array.from({ length: Math.ceil(rows / ROWS_OF_PIECE) }, (_, piece) => piece * ROWS_OF_PIECE);
  const pieces = starts.map((from) => {
    const count = Math.min(ROWS_OF_PIECE, rows - from);
    return Buffer.from(Array.from({ length: count }, (_, index) => `${toLine(from + index)}\n`).join(''));
  });
  return [...header, ...pieces];
}
