import { isoMoment, normalisedPhone, waitingSinceOf } from './contact.ts';
import { STATUSES, type Assignee, type Status } from '../domain/conversation.ts';
import { shown } from '../domain/errors.ts';
import { NAME_CHARS_MAX, type TexterRecord } from '../campaigns/index.ts';
import type { Column } from './columns.ts';
import type { NewConversation } from './ports.ts';

/** Why a row cannot be taken. Names its column; never a name or a phone number. */
export class BadRow extends Error {
  override readonly name = 'BadRow';
}

const EXTERNAL_ID_CHARS_MAX = 200;
const YES = ['true', 'yes', '1'];
const NO = ['false', 'no', '0', ''];

// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
/** What decoding puts where the bytes are not UTF-8. */
const NOT_UTF8 = '\ufffd';

/** Reads the rows of one import: its columns, its campaign's texters, its moment. */
export class ContactReader {
  private readonly columns: readonly Column[];
  private readonly assignees: ReadonlyMap<string, string | undefined>;
  private readonly at: Date;

  constructor(columns: readonly Column[], texters: readonly TexterRecord[], at: Date) {
    this.columns = columns;
    this.assignees = texterIdsByWord(texters);
    this.at = at;
  }

  /** Throws {@link BadRow}. */
  read(cells: readonly string[]): NewConversation {
    if (cells.length !== this.columns.length) {
      throw new BadRow(`expected ${this.columns.length} cells, as the header has, got ${cells.length}`);
    }
    const row = new Map(this.columns.map((column, index) => [column, (cells[index] ?? '').trim()]));
    const status = statusOf(row);
    const moments = {
      createdAt: momentOf(row, 'created_at') ?? this.at,
      lastInboundAt: momentOf(row, 'last_inbound_at') ?? null,
      lastOutboundAt: momentOf(row, 'last_outbound_at') ?? null,
    };
    return {
      name: nameOf(row),
      phone: phoneOf(row),
      externalId: externalIdOf(row),
      assigneeId: this.assigneeOf(row),
      status,
      optedOut: optedOutOf(row),
      waitingSince: momentOf(row, 'waiting_since') ?? waitingSinceOf(status, moments),
      ...moments,
    };
  }

  private assigneeOf(row: Row): Assignee {
    const word = cell(row, 'assignee');
    if (word === '') return null;
    const texterId = this.assignees.get(word);
    if (texterId !== undefined) return texterId;
    throw new BadRow(
      this.assignees.has(word)
        ? 'assignee: expected one texter, got a name that several have: give the id'
        : 'assignee: expected a texter of the campaign, by id or exact name, or nothing for the pool',
    );
  }
}

type Row = ReadonlyMap<Column, string>;

/** Texters by id and by name; a name that several have stands for none. An id goes before a name. */
function texterIdsByWord(texters: readonly TexterRecord[]): Map<string, string | undefined> {
  const byWord = new Map<string, string | undefined>();
  for (const { name, texterId } of texters) byWord.set(name, byWord.has(name) ? undefined : texterId);
  for (const { texterId } of texters) byWord.set(texterId, texterId);
  return byWord;
}

function cell(row: Row, column: Column): string {
  return row.get(column) ?? '';
}

function nameOf(row: Row): string {
  const name = text(row, 'name', NAME_CHARS_MAX);
  if (name === '') throw new BadRow('name: expected one, got nothing');
  return name;
}

function externalIdOf(row: Row): string | null {
  return text(row, 'external_id', EXTERNAL_ID_CHARS_MAX) || null;
}

function text(row: Row, column: Column, charsMax: number): string {
  const value = cell(row, column);
  if (value.length > charsMax) throw new BadRow(`${column}: expected at most ${charsMax} characters`);
  if (value.includes(NOT_UTF8)) throw new BadRow(`${column}: expected UTF-8 text`);
  if (CONTROL_CHARACTER.test(value)) throw new BadRow(`${column}: expected text without control characters`);
  return value;
}

function phoneOf(row: Row): string {
  const phone = normalisedPhone(cell(row, 'phone'));
  if (phone === undefined) throw new BadRow('phone: expected 7 to 15 digits, with or without a leading +');
  return phone;
}

function statusOf(row: Row): Status {
  const word = cell(row, 'status').toLowerCase();
  if (word === '') return 'not-started';
  const status = STATUSES.find((known) => known === word);
  if (!status) throw new BadRow(`status: expected one of ${STATUSES.join(', ')}, got ${shown(cell(row, 'status'))}`);
  return status;
}

function optedOutOf(row: Row): boolean {
  const word = cell(row, 'opted_out').toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return false;
  throw new BadRow(`opted_out: expected true, false, yes, no, 1, 0 or nothing, got ${shown(cell(row, 'opted_out'))}`);
}

function momentOf(row: Row, column: Column): Date | undefined {
  const written = cell(row, column);
  if (written === '') return undefined;
  const moment = isoMoment(written);
  if (!moment) {
    throw new BadRow(`${column}: expected an ISO 8601 date such as 2020-09-01T10:00:00Z, got ${shown(written)}`);
  }
  return moment;
}
