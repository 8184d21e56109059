import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { stringify } from 'csv-stringify';
import { EXPORT_COLUMNS, exportConversations, type ExportRow, withoutFormulas } from '../../contacts/index.ts';
import { STATUSES } from '../../domain/conversation.ts';
import { sceneOf, type Scene } from '../bulk.ts';
import { isSystemError, misused } from '../input.ts';
import { counted } from '../output.ts';
import { isWatched, progressBar, type Progress } from '../progress.ts';
import type { Session } from '../session.ts';

interface ExportOptions {
  readonly out?: string;
  readonly raw?: true;
}

/** It holds names and phone numbers: for its owner only. */
const OWNER_ONLY = 0o600;

const HELP = `
All conversations come out, those that the conversations view leaves out and the opted-out ones too. A name or an id
that a spreadsheet would run as a formula (it begins with = + - or @) gets an apostrophe before it; --raw leaves all as
it is stored.`;

export function addExport(program: Command, session: Session): void {
  program
    .command('export')
    .summary('write all conversations as CSV')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .option('--out <file>', 'where to; without it, stdout')
    .option('--raw', 'leave what looks like a formula as it is')
    .addHelpText('after', HELP)
    .action(async (campaign: string, options: ExportOptions) => {
      if (session.json && options.out === undefined) {
        throw misused('--out FILE beside --json, whose document is what stdout is for', 'none');
      }
      await exportTo(await sceneOf(session, campaign), options);
    });
}

async function exportTo(scene: Scene, { out, raw }: ExportOptions): Promise<void> {
  const { session, campaign } = scene;
  const progress = progressBar(session.terminal, 'exporting', out === undefined ? 0 : await totalOf(scene));
  const rows = new Counted(exportConversations(scene.context, campaign.campaignId), raw === true, progress);
  try {
    if (out === undefined) return await write(rows, session.terminal.stdout, false);
    await writeFile(rows, out);
  } finally {
    progress.stop();
  }
  const { campaignId } = campaign;
  const text = `Wrote ${counted(rows.count, 'conversation')} to ${out}.`;
  session.answer({ json: { campaignId, file: out, exported: rows.count }, text });
}

async function totalOf({ session, context, campaign, texters }: Scene): Promise<number> {
  if (!isWatched(session.terminal)) return 0;
  const assignees = [null, ...texters.map(({ texterId }) => texterId)];
  return context.stores.conversations.count(campaign.campaignId, assignees, STATUSES);
}

/** Beside its place first, so that half an export never lies there as if it were a whole one. */
async function writeFile(rows: Counted, file: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.part`;
  try {
    await write(rows, createWriteStream(unfinished, { mode: OWNER_ONLY, flags: 'wx' }), true);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw isSystemError(error) ? misused('a file that can be written', `${error.code} for ${file}`) : error;
  }
}

async function write(rows: Counted, to: Writable, end: boolean): Promise<void> {
  // A carriage return on its own ends a line for some readers: quoted, it ends none.
  const csv = stringify({ header: true, columns: [...EXPORT_COLUMNS], quoted_match: /[\r\n]/ });
  await pipeline(Readable.from(rows.all()), csv, to, { end });
}

/** Rows as they are written, counted on the way. */
class Counted {
  count = 0;
  private readonly rows: AsyncIterable<ExportRow>;
  private readonly raw: boolean;
  private readonly progress: Progress;

  constructor(rows: AsyncIterable<ExportRow>, raw: boolean, progress: Progress) {
    this.rows = rows;
    this.raw = raw;
    this.progress = progress;
  }

  async *all(): AsyncGenerator<ExportRow> {
    for await (const row of this.rows) {
      this.count += 1;
      this.progress.update(this.count);
      yield this.raw ? row : withoutFormulas(row);
    }
  }
}
