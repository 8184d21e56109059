import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { csvRecords, importContacts, type ImportOptions, type ImportResult } from '../../contacts/index.ts';
import { isSystemError, unusableFile } from '../errors.ts';
import { findCampaign } from '../lookup.ts';
import { CAMPAIGN, countryOption } from '../options.ts';
import type { Session } from '../session.ts';
import { blocks, fittedTable } from '../layout.ts';
import { counted, progressBar, type Output, type Progress, type Text } from '../terminal.ts';

/** Bad rows shown to people; the JSON document has more. */
const REJECTED_SHOWN_MAX = 20;

const HELP = `
The file is CSV with a header line. Columns: name and phone, and optionally external_id, status, assignee (a texter by
id or exact name; empty: the pool), opted_out (true or false), created_at, waiting_since, last_inbound_at and
last_outbound_at (ISO 8601; UTC without an offset). Bad rows are reported, and the other rows are added. A contact
whose phone number the campaign already has does not change, so importing a file twice adds nothing.

An opt-out holds in any row and is never lifted by an import: a contact of the campaign is opted out if one row of their
number says so, even if this row is bad for another reason. To lift an opt-out, use \`baton lift-opt-out\`.

The assignee column follows the rules of reassign: a row whose assignee is paused is rejected, and a contact who opted
out stays in the pool. To bring in the assignments of another system as they are, use --keep-assignees.

A row whose external id belongs to a contact with another phone number is rejected: a second conversation could go to
another texter. If a household has one id for several numbers, use --shared-ids.

Phone numbers are stored in one form, such as +12025550199, however the file writes them. Numbers without a country code
are read as numbers of the country of the campaign (\`baton campaign country\`), or of --country for this file. There
is no default: a wrong country would turn a number into the number of another person.`;

export function addImport(program: Command, session: Session): void {
  program
    .command('import')
    .summary('add contacts from a CSV file')
    .argument(...CAMPAIGN)
    .argument('<file>', 'the file, or - for stdin')
    .addOption(countryOption())
    .option('--keep-assignees', 'give to paused texters too, and keep opted-out contacts with their assignees')
    .option('--shared-ids', 'accept several phone numbers with one external id, such as those of a household')
    .addHelpText('after', HELP)
    .action(async (campaign: string, file: string, options: ImportOptions) =>
      session.print(await importFile(session, campaign, file, options)),
    );
}

async function importFile(session: Session, campaign: string, file: string, options: ImportOptions): Promise<Output> {
  const context = await session.context();
  const { campaignId } = await findCampaign(context, campaign);
  const source = await openSource(session, file);
  try {
    const records = csvRecords(textOf(source.stream, source.progress));
    const result = await importContacts(context, campaignId, records, options);
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

function resultText({ added, alreadyThere, optedOut, leftInPool, rejectedCount, rejected }: ImportResult): Text {
  const listed = rejected.slice(0, REJECTED_SHOWN_MAX);
  const more = rejectedCount - listed.length;
  const rows = listed.map(({ line, reason }) => [line, reason]);
  return blocks(
    `Added ${counted(added, 'contact')}; ${alreadyThere} already existed; ${optedOut} opted out; ` +
      `${counted(rejectedCount, 'bad row')}.`,
    leftInPool > 0 &&
      `${counted(leftInPool, 'contact')} stayed in the pool despite an assignee, because they opted out.`,
    rows.length > 0 && fittedTable(['line', { title: 'problem', isShortened: true }], rows),
    more > 0 && `… and ${more} more; --json lists the first ${rejected.length}.`,
  );
}
