import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { csvRecords, importContacts, type ImportResult } from '../../contacts/index.ts';
import { isSystemError, misused } from '../input.ts';
import { blocks, counted, table, type Answer } from '../output.ts';
import { progressBar, type Progress } from '../progress.ts';
import { resolveCampaign } from '../resolve.ts';
import type { Session } from '../session.ts';
import { tellWaitingClaims } from '../waiting-claims.ts';

/** Bad rows shown to people; the JSON has more. */
const REJECTED_SHOWN_MAX = 20;

const HELP = `
The file is CSV with a header line: name and phone, and optionally external_id, status, assignee (a texter by id or
exact name; nothing: the pool), opted_out (true or false), created_at, waiting_since, last_inbound_at and
last_outbound_at (ISO 8601; without an offset UTC). Bad rows are told and the rest kept. A contact whose phone number
the campaign has is left as it is, so that importing twice adds nothing.`;

export function addImport(program: Command, session: Session): void {
  program
    .command('import')
    .summary('add contacts from a CSV file')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .argument('<file>', 'the file, or - for what comes on stdin')
    .addHelpText('after', HELP)
    .action(async (campaign: string, file: string) => session.answer(await importFile(session, campaign, file)));
}

async function importFile(session: Session, campaignWord: string, file: string): Promise<Answer> {
  const context = await session.context();
  const { campaignId } = await resolveCampaign(context.stores.campaigns, campaignWord);
  const source = await openSource(session, file);
  try {
    const result = await importContacts(context, campaignId, csvRecords(textOf(source.stream, source.progress)));
    if (result.added > 0) await tellWaitingClaims(session, campaignId);
    return { json: { campaignId, ...result }, text: told(result) };
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
    if (stats.isDirectory()) throw misused('a file', 'a folder');
    return { handle: await open(file), bytes: stats.size };
  } catch (error) {
    throw isSystemError(error) ? misused('a file that can be read', `${error.code} for ${file}`) : error;
  }
}

async function* textOf(stream: Readable, progress: Progress): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    yield decoder.decode(chunk, { stream: true });
    progress.update(bytes);
  }
  yield decoder.decode();
}

function told({ added, alreadyThere, rejectedCount, rejected }: ImportResult): string {
  const shown = rejected.slice(0, REJECTED_SHOWN_MAX);
  const more = rejectedCount - shown.length;
  return blocks(
    `Added ${counted(added, 'contact')}; ${alreadyThere} were there already; ${counted(rejectedCount, 'bad row')}.`,
    shown.length > 0 &&
      table(
        ['line', 'what is wrong'],
        shown.map(({ line, reason }) => [line, reason]),
      ),
    more > 0 && `… and ${more} more; --json lists the first ${rejected.length}.`,
  );
}
