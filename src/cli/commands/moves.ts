import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { stringify } from 'csv-stringify';
import { withGuard } from '../../contacts/index.ts';
import type { Context } from '../../context.ts';
import { unknownOperation } from '../../domain/errors.ts';
import {
  MOVES_OF_PAGE_MAX,
  parseMovesRequest,
  readMoves,
  toMovesPage,
  type ConversationResult,
  type MovesPage,
} from '../../operations/index.ts';
import { misused } from '../errors.ts';
import type { AssigneeNames } from '../assignee-names.ts';
import { blocks, fittedTable, unbroken } from '../layout.ts';
import { namesOf } from '../lookup.ts';
import { limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { moment, type Text } from '../terminal.ts';
import { SKIPPED_BECAUSE } from '../words.ts';

const CSV_COLUMNS = ['conversation_id', 'result', 'from_id', 'to_id', 'status', 'at', 'reason'] as const;
const LIMIT = 100;

const COLUMNS = [
  'conversation',
  { title: 'from', isShortened: true },
  { title: 'to', isShortened: true },
  { title: 'status', isShortened: true },
  { title: 'at', spare: 1 },
] as const;

const DESCRIPTION =
  'Lists the conversations that moved and those that were skipped, in the order in which the operation moved them. --csv ' +
  'prints all of them, with ids instead of names; an empty from_id or to_id is the pool.';

interface MovesOptions {
  readonly limit: number;
  readonly after?: string;
  readonly csv?: true;
}

export function addMoves(program: Command, session: Session): void {
  program
    .command('moves')
    .description(DESCRIPTION)
    .argument('<operation>', 'the id of the operation or claim')
    .addOption(limitOption(LIMIT))
    .option('--after <cursor>', 'continue after the cursor that the previous page ended with')
    .option('--csv', 'print all as CSV')
    .action(async (operationId: string, options: MovesOptions) => {
      const context = await session.context();
      const operation = await context.operationViews.findOperation(operationId);
      if (!operation) throw unknownOperation(operationId);
      const { campaignId } = operation;
      if (options.csv) return printCsv(session, context, { operationId, campaignId, after: options.after });
      const { limit, after } = options;
      const page = await read(context, { operationId, campaignId, limit, after });
      const names = await namesOf(context, campaignId);
      session.print({ json: page, text: pageText(page, names) });
    });
}

async function read(context: Context, request: object): Promise<MovesPage> {
  return toMovesPage(await readMoves(context, parseMovesRequest(request)));
}

function pageText({ conversations, next, state }: MovesPage, names: AssigneeNames): Text {
  const rows = conversations.map((each) =>
    each.result === 'moved'
      ? [each.conversationId, names.of(each.from), names.of(each.to), each.status, moment(each.at)]
      : [each.conversationId, '', '', `skipped: ${SKIPPED_BECAUSE[each.reason]}`, ''],
  );
  return blocks(
    rows.length > 0 ? fittedTable(COLUMNS, rows) : 'No conversations.',
    next !== null && `The operation is ${state}. Continue with ${unbroken(`--after ${next}`)}`,
  );
}

type CsvRow = Readonly<Record<(typeof CSV_COLUMNS)[number], string>>;

async function printCsv(session: Session, context: Context, request: object): Promise<void> {
  if (session.json) {
    throw misused('--csv cannot be used with --json', { expected: 'one of both', received: '--csv and --json' });
  }
  const csv = stringify({ header: true, columns: [...CSV_COLUMNS] });
  await pipeline(rowsOf(context, request), csv, session.terminal.stdout, { end: false });
}

/** Reads page after page, up to what a running operation has done so far. */
async function* rowsOf(context: Context, request: object): AsyncGenerator<CsvRow> {
  let page = await read(context, { ...request, limit: MOVES_OF_PAGE_MAX });
  for (;;) {
    for (const each of page.conversations) yield csvRow(each);
    const after = page.next;
    if (after === null) return;
    page = await read(context, { ...request, limit: MOVES_OF_PAGE_MAX, after });
    // A page of batches without moves and skips is empty, but has a next one. The same place again is the end for now.
    if (page.next === after) return;
  }
}

function csvRow(each: ConversationResult): CsvRow {
  const { conversationId: conversation_id, result } = each;
  if (each.result === 'skipped') {
    return { conversation_id, result, from_id: '', to_id: '', status: '', at: '', reason: each.reason };
  }
  const [from_id, to_id] = [withGuard(each.from ?? ''), withGuard(each.to ?? '')];
  return { conversation_id, result, from_id, to_id, status: each.status, at: each.at?.toISOString() ?? '', reason: '' };
}
