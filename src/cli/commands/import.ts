import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { csvRecords, importContacts, type ImportResult } from '../../contacts/index.ts';
import { isSystemError, unusableFile } from '../errors.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN } from '../options.ts';
import type { Session } from '../session.ts';
import { blocks, counted, progressBar, table, type Output, type Progress } from '../terminal.ts';

/** Bad rows shown to people; the JSON document has more. */
const REJECTED_SHOWN_MAX = 20;

const HELP = `
The file is CSV with a header line. Columns: name and phone, and optionally external_id, status, assignee (a texter by
id or exact name; empty: the pool), opted_out (true or false), created_at, waiting_since, last_inbound_at and
last_outbound_at (ISO 8601; UTC without an offset). Bad rows are reported, and the other rows are added. A contact
whose phone number the campaign already has does not change, so importing a file twice adds nothing.`;

export function addImport(program: Command, session: Session): void {
  program
    .command('import')
    .summary('add contacts from a CSV file')
    .argument(...CAMPAIGN)
    .argument('<file>', 'the file, or - for stdin')
    .addHelpText('after', HELP)
    .action(async (campaign: string, file: string) => session.print(await importFile(session, campaign, file)));
}

async function importFile(session: Session, campaign: string, file: string): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, campaign);
  const source = await openSource(session, file);
  try {
    const result = await importContacts(context, campaignId, csvRecords(textOf(source.stream, source.progress)));
    if (result.added > 0) await session.notifyWaitingClaims(campaignId);
    return { json: { campaignId, ...result }, text: resultText(result) };
  } finally {
    source.progress.stop();
    await source.handle?.close();
  }
}

interface Source {
  readonly stream: Readable;
  readonly progress: Progress;
  readonly handle?: FileHandle;
}

async function openSource({ terminal }: Session, file: string): Promise<Source> {
  if (file === '-') return { stream: terminal.stdin, progress: progressBar(terminal, 'importing', 0) };
  const { handle, bytes } = await openFile(file);
  return { handle, stream: handle.createReadStream(), progress: progressBar(terminal, 'importing', bytes, ' bytes') };
}

async function openFile(file: string): Promise<{ handle: FileHandle; bytes: number }> {
  try {
    const stats = await stat(file);
    if (stats.isDirectory()) throw unusableFile(file, 'read', 'EISDIR');
    return { handle: await open(file), bytes: stats.size };
  } catch (error) {
    throw isSystemError(error) ? unusableFile(file, 'read', error.code) : error;
  }
}

async function* textOf(stream: Readable, progress: Progress): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    yield decoder.decode(piece, { stream: true });
    progress.update(bytes);
  }
  yield decoder.decode();
}

function resultText({ added, alreadyThere, rejectedCount, rejected }: ImportResult): string {
  const listed = rejected.slice(0, REJECTED_SHOWN_MAX);
  const more = rejectedCount - listed.length;
  const rows = listed.map(({ line, reason }) => [line, reason]);
  return blocks(
    `Added ${counted(added, 'contact')}; ${alreadyThere} already existed; ${counted(rejectedCount, 'bad row')}.`,
    rows.length > 0 && table(['line', 'problem'], rows),
    more > 0 && `… and ${more} more; --json lists the first ${rejected.length}.`,
  );
}
