import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpBench } from './parts.ts';

const KIB_OF_MIB = 1_024;
/** A slow reader takes one piece at a time, with this pause. */
const SLOW_PAUSE_MS = 100;

export interface ExportRow {
  readonly beside: 'nothing' | 'a slow reader';
  readonly conversations: number;
  readonly firstByteMs: number;
  readonly perSecond: number;
  /** How far the memory of the server rises above what it had before. */
  readonly serverMibOverIdle: number;
}

/** Exports a large campaign, alone and beside a reader that takes its own export slowly. */
export async function benchExport({ bench, server }: HttpBench, size: number): Promise<ExportRow[]> {
  const campaignId = await bench.seedCampaign(2, size);
  const path = `/v1/campaigns/${campaignId}/conversations.csv`;
  const rows: ExportRow[] = [];
  for (const beside of ['nothing', 'a slow reader'] as const) {
    const slow = beside === 'nothing' ? undefined : await server.client.open('GET', path);
    const isSlowDone = slow && readSlowly(slow);
    server.resetPeak();
    const idleKib = server.residentKib();
    const startedAt = performance.now();
    const { firstByteMs, lines } = await readAll(await server.client.open('GET', path), startedAt);
    const seconds = (performance.now() - startedAt) / 1_000;
    // The first line is the header.
    if (lines !== size + 1) throw new Error(`the export has ${lines} lines instead of ${size + 1}`);
    const serverMibOverIdle = (server.peakKib() - idleKib) / KIB_OF_MIB;
    rows.push({ beside, conversations: size, firstByteMs, perSecond: size / seconds, serverMibOverIdle });
    slow?.destroy();
    await isSlowDone;
  }
  await bench.deleteConversations(campaignId);
  return rows;
}

interface Read {
  readonly firstByteMs: number;
  readonly lines: number;
}

async function readAll(response: IncomingMessage, startedAt: number): Promise<Read> {
  if (response.statusCode !== 200) throw new Error(`the export answered ${response.statusCode}`);
  let firstByteMs: number | undefined;
  let lines = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    firstByteMs ??= performance.now() - startedAt;
    for (let at = piece.indexOf('\n'); at !== -1; at = piece.indexOf('\n', at + 1)) lines += 1;
  }
  return { firstByteMs: firstByteMs ?? NaN, lines };
}

/** Resolves when the response is destroyed. */
async function readSlowly(response: IncomingMessage): Promise<void> {
  const pieces = response[Symbol.asyncIterator]();
  try {
    while ((await pieces.next()).done !== true) await delay(SLOW_PAUSE_MS);
  } catch {
    // The benchmark has ended it.
  }
}
