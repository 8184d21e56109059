import type { Command } from 'commander';
import {
  type ContactSource,
  type CsvChoices,
  type CsvFile,
  FIELDS,
  type ImportEnd,
  importContacts,
  type ImportOptions,
  openCsv,
  previewImport,
} from '../../contacts/index.ts';
import { shown } from '../../domain/visible-text.ts';
import { EXIT_FAILED, misused } from '../errors.ts';
import { endText, previewText, readColumns } from '../import-text.ts';
import { openInput, type InputFile } from '../input-file.ts';
import { EXIT_STOPPED, stoppable } from '../interruption.ts';
import { openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, countryOption } from '../options.ts';
import { RejectedFile } from '../rejected-file.ts';
import type { Session } from '../session.ts';
import { progressBar, type Output, type Progress } from '../terminal.ts';

type MappedColumn = NonNullable<CsvChoices['map']>[number];

interface ImportCommand extends CsvChoices, ImportOptions {
  readonly preview?: true;
  readonly rejected?: string;
}

const HELP_PARAGRAPHS = [
  'The file is CSV with a header line. Separator and encoding are detected. Columns are found by the names that ' +
    'spreadsheets, address books, voter files and texting tools give them, such as First Name, Last Name and Cell; ' +
    `other columns are ignored and listed. --map names the column of a field. The fields are ${FIELDS.join(', ')}. A ` +
    'name, or first and last name, and a phone number are needed. What `baton export` writes can be imported.',
  'All rows are checked first. If a file has 50 rows or more and more than a fifth of its phone numbers cannot be ' +
    'read, it is refused: the country or the column is probably wrong. Otherwise bad rows are reported, and the other ' +
    'rows are added. A contact whose phone number the campaign already has does not change, so importing a file twice ' +
    'adds nothing.',
  'Phone numbers are stored in one form, such as +12025550199, however the file writes them. Numbers without a ' +
    'country code are read as numbers of the country of the campaign (`baton campaign country`), or of --country ' +
    'for this file. There is no default: a wrong country would turn a number into the number of another person. A ' +
    'file with a column of mobile numbers is read by this column only: another phone number may be a landline, or ' +
    "another person's.",
  'An opt-out holds in any row and is never lifted by an import: a contact of the campaign is opted out if one row ' +
    'of their number says so, even if this row is bad for another reason. To lift an opt-out, use `baton ' +
    'lift-opt-out`. A file with another column that speaks of consent, in its header or its cells, is refused until --map or --ignore says what ' +
    'it is.',
  'The assignee (a texter by id or exact name; empty: the pool) follows the rules of reassign: a row whose assignee ' +
    'is paused is rejected, and a contact who opted out stays in the pool. --keep-assignees brings in the assignments ' +
    'of another system as they are.',
  'A row whose external id belongs to a contact with another phone number is rejected: a second conversation could ' +
    'go to another texter. If a household has one id for several numbers, use --shared-ids.',
];

/** Each paragraph is one line, which the terminal wraps. */
const IMPORT_HELP = `\n${HELP_PARAGRAPHS.join('\n\n')}`;

export function addImport(program: Command, session: Session): void {
  program
    .command('import')
    .argument(...CAMPAIGN)
    .argument('<file>', 'the file, or - for stdin')
    .option('--preview', 'show how the columns and the first rows are understood, and import nothing')
    .option('--map <field=column>', 'the column of a field, by its header or number. Repeatable', mapped)
    .option('--ignore <column>', 'a column that is not read, by its header or number. Repeatable', collected)
    .addOption(countryOption())
    .option('--rejected <file>', 'write the bad rows to a new CSV file, to be corrected and imported')
    .option('--accept-rejected', 'import the good rows although many phone numbers are bad')
    .option('--keep-assignees', 'give to paused texters too, and keep opted-out contacts with their assignees')
    .option('--shared-ids', 'accept several phone numbers with one external id, such as those of a household')
    .option('--encoding <name>', 'the encoding of the file, such as windows-1252. Default: it is detected')
    .option('--separator <character>', 'what separates the cells, or the word tab. Default: it is detected')
    .addHelpText('after', IMPORT_HELP)
    .action(async (campaign: string, file: string, options: ImportCommand) =>
      session.print(await importFile(await openCampaign(session, campaign), file, options)),
    );
}

function collected(typed: string, earlier: readonly string[] = []): string[] {
  return [...earlier, typed];
}

function mapped(typed: string, earlier: readonly MappedColumn[] = []): MappedColumn[] {
  const [word = ''] = typed.split('=');
  const field = FIELDS.find((known) => known === word.trim().toLowerCase().replaceAll('-', '_'));
  const column = typed.slice(word.length + 1).trim();
  if (field && column !== '') return [...earlier, { field, column }];
  const expected = `a field and a column, such as phone=Mobile or phone=3. The fields are ${FIELDS.join(', ')}`;
  throw misused(`--map must be ${expected}`, { expected, received: shown(typed) });
}

async function importFile(of: CampaignSession, file: string, options: ImportCommand): Promise<Output> {
  const input = await openInput(of.session.terminal, file);
  const bar = new ReadingBar(of.session, input);
  try {
    const csv = await openCsv(() => input.read(bar.onRead), options);
    const source = { columns: csv.columns, rows: () => bar.during(csv.rows()) };
    return options.preview === true
      ? await previewFile(of, csv, source, options)
      : await importCsv(of, csv, source, { ...options, name: input.name });
  } finally {
    bar.stop();
    await input.close();
  }
}

async function previewFile(
  { context, campaign, names }: CampaignSession,
  csv: CsvFile,
  source: ContactSource,
  options: ImportCommand,
): Promise<Output> {
  const preview = await previewImport(context, campaign.campaignId, source, options);
  const { rows, rejectedCount, rejected, firstRows } = preview.survey;
  const refusal = preview.refusal?.message ?? null;
  const json = { ...documentOf(csv, preview), rows, rejectedCount, rejected, firstRows, refusal };
  return { json: { campaignId: campaign.campaignId, ...json }, text: previewText(csv, preview, names) };
}

async function importCsv(
  { session, context, campaign }: CampaignSession,
  csv: CsvFile,
  source: ContactSource,
  { rejected: file, name, ...options }: ImportCommand & { readonly name: string },
): Promise<Output> {
  const { campaignId } = campaign;
  const bad = file === undefined ? undefined : await RejectedFile.create(file, csv);
  let rejectedFile: string | null;
  let end: ImportEnd;
  try {
    const work = (signal: AbortSignal) =>
      importContacts(context, campaignId, source, { ...options, signal, onRejected: bad?.add });
    end = await stoppable(work);
  } finally {
    rejectedFile = (await bad?.finish()) ?? null;
  }
  if (end.added > 0) await session.notifyWaitingClaims(campaignId);
  session.exitStatus = exitStatusAfter(end, session.exitStatus);
  const { preview, ...result } = end;
  const json = { campaignId, ...documentOf(csv, preview), ...result, rejectedFile };
  return { json, text: endText(csv, end, { rejectedFile, name }) };
}

function documentOf(csv: CsvFile, preview: ImportEnd['preview']): object {
  const { encoding, separator, headerLine } = csv;
  const file = { encoding: encoding.name, isEncodingCertain: encoding.isCertain, separator, headerLine };
  return { file, country: preview.country, ...readColumns(csv, preview), roundedIds: preview.survey.roundedIds };
}

function exitStatusAfter({ isStopped, added, alreadyThere, rejectedCount }: ImportEnd, before: number): number {
  if (isStopped) return EXIT_STOPPED;
  return added + alreadyThere === 0 && rejectedCount > 0 ? EXIT_FAILED : before;
}

/** Shows how far the file is read: first when all rows are checked, then when they are imported. */
class ReadingBar {
  private readonly session: Session;
  private readonly input: InputFile;
  private readonly titles = ['checking', 'importing'];
  private bar: Progress | undefined;

  constructor(session: Session, input: InputFile) {
    this.session = session;
    this.input = input;
  }

  readonly onRead = (bytes: number): void => this.bar?.update(bytes);

  async *during<Rows>(rows: AsyncIterable<Rows>): AsyncGenerator<Rows> {
    const title = this.titles.shift() ?? 'reading';
    this.bar = progressBar(this.session.terminal, title, this.input.bytes, ' bytes');
    try {
      yield* rows;
    } finally {
      this.stop();
    }
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}
