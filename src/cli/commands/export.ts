import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { exportConversations, exportForm, type ExportRow, type RowForm, toCsv } from '../../contacts/index.ts';
import { STATUSES } from '../../domain/conversation.ts';
import { isSystemError, misused, unusableFile } from '../errors.ts';
import { EXIT_STOPPED, stoppable } from '../interruption.ts';
import { openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN } from '../options.ts';
import type { Session } from '../session.ts';
import { counted, isInteractive, plain, progressBar, type Progress } from '../terminal.ts';

interface ExportOptions {
  readonly out?: string;
  readonly raw?: true;
}

/** The file has names and phone numbers. */
const OWNER_ONLY = 0o600;

const HELP = `
The messages export: all conversations of the campaign with their assignee and status, also those of opted-out contacts and \
those in awaiting-contact, which the list of conversations leaves out. \`baton import\` reads it.

A name or an id gets an apostrophe wherever a spreadsheet would run a formula: before = + - and @ at its beginning, and after \
a separator such as ; at which spreadsheets split cells. Characters that change the direction of text are left out. --raw \
leaves everything as it is stored.`;

export function addExport(program: Command, session: Session): void {
  program
    .command('export')
    .alias('messages-export')
    .argument(...CAMPAIGN)
    .option('--out <file>', 'the file to write. Default: stdout')
    .option('--raw', 'do not put an apostrophe before formulas')
    .addHelpText('after', HELP)
    .action(async (campaign: string, options: ExportOptions) => {
      if (session.json && options.out === undefined) {
        const values = { expected: '--out FILE', received: 'none' };
        throw misused('--json needs --out FILE, because stdout is for the JSON document', values);
      }
      await exportTo(await openCampaign(session, campaign), options);
    });
}

async function exportTo(of: CampaignSession, { out, raw }: ExportOptions): Promise<void> {
  const { session, context } = of;
  const { campaignId } = of.campaign;
  const progress = progressBar(session.terminal, 'exporting', out === undefined ? 0 : await totalOf(of));
  const isShown = out === undefined && session.terminal.stdout.isTTY === true;
  const form = exportForm(raw === true);
  const rows = new CountedRows(
    exportConversations(context, campaignId),
    isShown ? (row) => plainRow(form(row)) : form,
    progress,
  );
  try {
    await stoppable((signal) =>
      out === undefined ? write(rows, session.terminal.stdout, { signal, end: false }) : writeFile(rows, out, signal),
    );
  } catch (error) {
    if (!isStop(error)) throw error;
    session.exitStatus = EXIT_STOPPED;
    return session.note(out === undefined ? 'stopped; the output is incomplete' : `stopped; ${out} was not written`);
  } finally {
    progress.stop();
  }
  if (out === undefined) return;
  const text = `Wrote ${counted(rows.count, 'conversation')} to ${out}.`;
  session.print({ json: { campaignId, file: out, exported: rows.count }, text });
}

async function totalOf({ session, context, campaign, texters }: CampaignSession): Promise<number> {
  if (!isInteractive(session.terminal)) return 0;
  const assignees = [null, ...texters.map(({ texterId }) => texterId)];
  return context.stores.conversations.count(campaign.campaignId, assignees, STATUSES);
}

/** Writes to a temporary file first, so that an interrupted export leaves no incomplete file under its final name. */
async function writeFile(rows: CountedRows, file: string, signal: AbortSignal): Promise<void> {
  const temporary = (await isDevice(file)) ? undefined : `${file}.${process.pid}.part`;
  try {
    const options = temporary === undefined ? {} : { mode: OWNER_ONLY, flags: 'wx' };
    await write(rows, createWriteStream(temporary ?? file, options), { signal });
    if (temporary !== undefined) await rename(temporary, file);
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true });
    throw isSystemError(error) ? unusableFile(file, 'written', error.code) : error;
  }
}

/** A file cannot take the place of a pipe or of a device such as /dev/stdout. */
async function isDevice(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

interface Writing {
  readonly signal: AbortSignal;
  /** False: `to` stays open. */
  readonly end?: boolean;
}

async function write(rows: CountedRows, to: Writable, options: Writing): Promise<void> {
  await pipeline(toCsv(rows.all()), to, options);
}

function isStop(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** On a screen the rows are read by people: without characters that act on the terminal. */
const plainRow: RowForm = (row) =>
  Object.fromEntries(Object.entries(row).map(([column, cell]) => [column, plain(cell)])) as ExportRow;

class CountedRows {
  count = 0;
  private readonly rows: AsyncIterable<ExportRow>;
  private readonly form: RowForm;
  private readonly progress: Progress;

  constructor(rows: AsyncIterable<ExportRow>, form: RowForm, progress: Progress) {
    this.rows = rows;
    this.form = form;
    this.progress = progress;
  }

  async *all(): AsyncGenerator<ExportRow> {
    for await (const row of this.rows) {
      this.count += 1;
      this.progress.update(this.count);
      yield this.form(row);
    }
  }
}
