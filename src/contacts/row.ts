import { BadRow, isRounded, readMoment, readStatus, readText } from './cell-values.ts';
import { saysOptedOut, saysYes } from './consent.ts';
import { EXTERNAL_ID_CHARS_MAX, type NewConversation } from './contact.ts';
import type { Field } from './fields.ts';
import { unwrappedId, withoutGuard } from './formulas.ts';
import type { ColumnMapping } from './mapping.ts';
import { waitingSinceOf } from './moments.ts';
import type { Texter, TexterWords } from '../campaigns/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { NAME_CHARS_MAX } from '../domain/ids.ts';
import type { PhoneReading } from '../domain/phone.ts';

const CONSENT_FIELDS = ['opted_out', 'opted_in'] as const;

export interface ReaderParts {
  readonly texters: TexterWords;
  readonly readPhone: (text: string) => PhoneReading;
  /** The moment of the import: the default of `created_at`. */
  readonly at: Date;
  /** Accepts paused assignees too. */
  readonly keepsAssignees: boolean;
}

/** Reads the rows of one import, whatever they come from. */
export class ContactReader {
  readonly mapping: ColumnMapping;
  private readonly columnCount: number;
  private readonly parts: ReaderParts;

  constructor(columnCount: number, mapping: ColumnMapping, parts: ReaderParts) {
    this.columnCount = columnCount;
    this.mapping = mapping;
    this.parts = parts;
  }

  /** Throws {@link BadRow}. */
  read(cells: readonly string[]): NewConversation {
    const row = new Row(cells, this.mapping);
    try {
      // A shorter row has lost empty cells at its end. In a longer one, a cell has slid.
      if (cells.slice(this.columnCount).some((cell) => cell.trim() !== '')) {
        throw new BadRow(`the row has more cells than the header line, which has ${this.columnCount}`);
      }
      return this.conversationOf(row);
    } catch (error) {
      if (error instanceof BadRow) error.optOut = this.optOutOf(row);
      throw error;
    }
  }

  /** The problem of a row that cannot be read as a whole. An opt-out in the cells that are known holds. */
  refuse(problem: string, known: readonly string[]): BadRow {
    const bad = new BadRow(problem);
    bad.optOut = this.optOutOf(new Row(known, this.mapping));
    return bad;
  }

  private conversationOf(row: Row): NewConversation {
    const status = readStatus(row.cell('status'));
    const moments = {
      createdAt: row.moment('created_at') ?? this.parts.at,
      lastInboundAt: row.moment('last_inbound_at') ?? null,
      lastOutboundAt: row.moment('last_outbound_at') ?? null,
    };
    return {
      name: nameOf(row),
      phone: this.phoneOf(row),
      externalId: externalIdOf(row),
      assigneeId: this.assigneeOf(row),
      status,
      optedOut: isOptedOut(row),
      waitingSince: row.moment('waiting_since') ?? waitingSinceOf(status, moments),
      ...moments,
      assignedAt: row.moment('assigned_at') ?? null,
    };
  }

  /** The assignee of an opted-out contact may be paused, because the conversation stays in the pool. */
  private assigneeOf(row: Row): Assignee {
    const texter = texterOf(row, this.parts.texters);
    if (!texter) return null;
    if (texter.active || this.parts.keepsAssignees || isOptedOut(row)) return texter.texterId;
    throw new BadRow(
      'the assignee is paused; resume the texter, leave the cell empty, or use --keep-assignees',
      'assignee',
    );
  }

  private optOutOf(row: Row): string | undefined {
    const isOut = consentOf(row).includes(true);
    const reading = isOut ? this.parts.readPhone(row.phone()) : undefined;
    return reading && 'phone' in reading ? reading.phone : undefined;
  }

  private phoneOf(row: Row): string {
    const text = row.phone();
    if (text === '') throw new BadRow('the phone number is missing', 'phone');
    const reading = this.parts.readPhone(text);
    if ('problem' in reading) throw new BadRow(reading.problem, 'phone');
    if (row.cells('bad_phone').some((cell) => saysYes(cell) !== false)) {
      throw new BadRow('the file says that the phone number is wrong', 'phone');
    }
    return reading.phone;
  }
}

/** Returns true if a row has a phone number, and so a number that could be read. */
export function hasPhone(cells: readonly string[], mapping: ColumnMapping): boolean {
  return new Row(cells, mapping).phone() !== '';
}

const MOBILE_LABELS = ['', 'mobile', 'cell', 'iphone'];
/** Google Contacts marks the label that it uses first. */
const MARK_OF_LABEL = /^\*\s*/;
const BETWEEN_NUMBERS = ' ::: ';

class Row {
  private readonly values: readonly string[];
  private readonly mapping: ColumnMapping;

  constructor(cells: readonly string[], mapping: ColumnMapping) {
    this.values = cells;
    this.mapping = mapping;
  }

  cells(field: Field): readonly string[] {
    return this.mapping.columns.get(field)?.map((column) => this.at(column)) ?? [];
  }

  cell(field: Field): string {
    const column = this.mapping.columns.get(field)?.[0];
    return column === undefined ? '' : this.at(column);
  }

  moment(field: Field): Date | undefined {
    return readMoment(this.cell(field), field);
  }

  phone(): string {
    const { labelledPhones } = this.mapping;
    if (labelledPhones.length === 0) return this.cell('phone');
    const mobile = labelledPhones.filter(({ label }) => label === undefined || isMobileLabel(this.at(label)));
    return mobile.flatMap(({ value }) => this.at(value) || []).join(BETWEEN_NUMBERS);
  }

  private at(column: number): string {
    return this.values[column]?.trim() ?? '';
  }
}

function isMobileLabel(label: string): boolean {
  return MOBILE_LABELS.includes(label.replace(MARK_OF_LABEL, '').toLowerCase());
}

/** Returns `undefined` for the pool. An id that the campaign does not know may be one of another system. */
function texterOf(row: Row, texters: TexterWords): Texter | undefined {
  const id = withoutGuard(row.cell('assignee_id'));
  const word = withoutGuard(row.cell('assignee'));
  const byId = id === '' ? [] : texters.find(`id=${id}`);
  const [texter, another] = byId.length > 0 ? byId : texters.find(word);
  if (texter && !another) return texter;
  if (id === '' && word === '') return undefined;
  throw new BadRow(
    texter
      ? 'the assignee matches several texters by id or name; write id= and the id of the texter'
      : 'the assignee is not a texter of the campaign; write an id or an exact name, or leave the cell empty for the pool',
    'assignee',
  );
}

function nameOf(row: Row): string {
  const whole = withoutGuard(row.cell('name')).trim();
  const inParts = [row.cell('first_name'), row.cell('last_name')].map(withoutGuard).join(' ');
  const name = readText(whole || inParts, 'name', NAME_CHARS_MAX);
  if (name === '') throw new BadRow('the name is missing, or has no visible character', 'name');
  return name;
}

function externalIdOf(row: Row): string | null {
  return readText(unwrappedId(row.cell('external_id')), 'external_id', EXTERNAL_ID_CHARS_MAX) || null;
}

/** Returns true if a spreadsheet has rounded the id of a row. */
export function hasRoundedId({ externalId }: NewConversation): boolean {
  return externalId !== null && isRounded(externalId);
}

/** A person has opted out if one column says so. */
function isOptedOut(row: Row): boolean {
  const said = consentOf(row);
  if (!said.includes(undefined)) return said.includes(true);
  throw new BadRow(
    'opted_out must be a word such as yes, no, true, false, STOP or a date, or empty for no',
    'opted_out',
  );
}

function consentOf(row: Row): (boolean | undefined)[] {
  return CONSENT_FIELDS.flatMap((field) => row.cells(field).map((cell) => saysOptedOut(field, cell)));
}
