import { isoMoment, waitingSinceOf, type NewConversation } from './contact.ts';
import { STATUSES, type Assignee, type Status } from '../domain/conversation.ts';
import type { Texter, TexterWords } from '../campaigns/index.ts';
import type { PhoneReading } from '../domain/phone.ts';
import { NAME_CHARS_MAX } from '../domain/ids.ts';
import { readName } from '../domain/visible-text.ts';
import type { Column } from './columns.ts';

/** Says in a sentence why a row is rejected. The sentence never repeats a cell, which could be a name or a phone number. */
export class BadRow extends Error {
  override readonly name = 'BadRow';
  /** The phone number of the row if the row says that the person has opted out: this holds although the row is bad. */
  optOut: string | undefined;
}

const EXTERNAL_ID_CHARS_MAX = 200;
const YES = ['true', 'yes', '1'];
const NO = ['false', 'no', '0', ''];

/** A decoder writes this character in the place of bytes that are not UTF-8. */
const REPLACEMENT_CHARACTER = '\ufffd';

type Row = ReadonlyMap<Column, string>;

export interface ReaderParts {
  readonly texters: TexterWords;
  readonly readPhone: (text: string) => PhoneReading;
  /** The moment of the import: the default of `created_at`. */
  readonly at: Date;
  /** Accepts paused assignees too. */
  readonly keepsAssignees: boolean;
}

/** Reads the rows of one import. */
export class ContactReader {
  readonly columns: readonly Column[];
  private readonly parts: ReaderParts;

  constructor(columns: readonly Column[], parts: ReaderParts) {
    this.columns = columns;
    this.parts = parts;
  }

  /** Throws {@link BadRow}. */
  read(cells: readonly string[]): NewConversation {
    const row = rowOf(cells, this.columns);
    try {
      return this.conversationOf(row);
    } catch (error) {
      if (error instanceof BadRow) error.optOut = this.optOutOf(row);
      throw error;
    }
  }

  private conversationOf(row: Row): NewConversation {
    const status = statusOf(row);
    const moments = {
      createdAt: momentOf(row, 'created_at') ?? this.parts.at,
      lastInboundAt: momentOf(row, 'last_inbound_at') ?? null,
      lastOutboundAt: momentOf(row, 'last_outbound_at') ?? null,
    };
    return {
      name: nameOf(row),
      phone: this.phoneOf(row),
      externalId: textOf(row, 'external_id', EXTERNAL_ID_CHARS_MAX) || null,
      assigneeId: this.assigneeOf(row),
      status,
      optedOut: optedOutOf(row),
      waitingSince: momentOf(row, 'waiting_since') ?? waitingSinceOf(status, moments),
      ...moments,
    };
  }

  /** The assignee of an opted-out contact may be paused, because the conversation stays in the pool. */
  private assigneeOf(row: Row): Assignee {
    const texter = texterOf(row, this.parts.texters);
    if (!texter) return null;
    if (texter.active || this.parts.keepsAssignees || optedOutOf(row)) return texter.texterId;
    throw new BadRow('the assignee is paused; resume the texter, leave the cell empty, or use --keep-assignees');
  }

  private optOutOf(row: Row): string | undefined {
    const isOptedOut = YES.includes(cell(row, 'opted_out').toLowerCase());
    const reading = this.parts.readPhone(cell(row, 'phone'));
    return isOptedOut && 'phone' in reading ? reading.phone : undefined;
  }

  private phoneOf(row: Row): string {
    const text = cell(row, 'phone');
    if (text === '') throw new BadRow('the phone number is missing');
    const reading = this.parts.readPhone(text);
    if ('problem' in reading) throw new BadRow(reading.problem);
    return reading.phone;
  }
}

function rowOf(cells: readonly string[], columns: readonly Column[]): Row {
  if (cells.length === columns.length) {
    return new Map(columns.map((column, index) => [column, (cells[index] ?? '').trim()]));
  }
  const count = cells.length === 1 ? '1 cell' : `${cells.length} cells`;
  throw new BadRow(`the row has ${count}, but the header line has ${columns.length}`);
}

function cell(row: Row, column: Column): string {
  return row.get(column) ?? '';
}

/** Returns `undefined` for the pool. */
function texterOf(row: Row, texters: TexterWords): Texter | undefined {
  const word = cell(row, 'assignee');
  if (word === '') return undefined;
  const [texter, another] = texters.find(word);
  if (texter && !another) return texter;
  throw new BadRow(
    texter
      ? 'the assignee matches several texters by id or name; write id= and the id of the texter'
      : 'the assignee is not a texter of the campaign; write an id or an exact name, or leave the cell empty for the pool',
  );
}

function nameOf(row: Row): string {
  const name = textOf(row, 'name', NAME_CHARS_MAX);
  if (name === '') throw new BadRow('the name is missing, or has no visible character');
  return name;
}

function textOf(row: Row, column: Column, charsMax: number): string {
  const text = cell(row, column);
  if (text.includes(REPLACEMENT_CHARACTER)) throw new BadRow(`the ${words(column)} is not UTF-8 text`);
  const reading = readName(text);
  if ('broken' in reading) throw new BadRow(`the ${words(column)} ${reading.broken}`);
  if (reading.name.length > charsMax) throw new BadRow(`the ${words(column)} must have at most ${charsMax} characters`);
  return reading.name;
}

function statusOf(row: Row): Status {
  const word = cell(row, 'status').toLowerCase();
  if (word === '') return 'not-started';
  const status = STATUSES.find((known) => known === word);
  if (!status) throw new BadRow(`the status must be ${STATUSES.join(', ')}, or empty for not-started`);
  return status;
}

function optedOutOf(row: Row): boolean {
  const word = cell(row, 'opted_out').toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return false;
  throw new BadRow('opted_out must be true, false, yes, no, 1, 0, or empty for false');
}

function momentOf(row: Row, column: Column): Date | undefined {
  const text = cell(row, column);
  if (text === '') return undefined;
  const moment = isoMoment(text);
  if (!moment) throw new BadRow(`${column} must be an ISO 8601 date such as 2020-09-01 or 2020-09-01T10:00:00Z`);
  return moment;
}

function words(column: Column): string {
  return column.replace('_', ' ');
}
