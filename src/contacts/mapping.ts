import { consentField, speaksOfConsent } from './consent.ts';
import {
  FIELDS,
  FIELDS_OF_SEVERAL_COLUMNS,
  headerKey,
  HEADERS,
  labelKeys,
  LABELLED_PHONE,
  MOBILE_HEADERS,
  PHONE_HEADERS,
  REPORT_COLUMNS,
  type Field,
} from './fields.ts';
import { ambiguousColumns, noConsentColumn, noSuchColumn } from './mapping-refusals.ts';

/** How a person wants columns to be read. A column is named by its header or by its number, from 1. */
export interface MappingChoices {
  readonly map?: readonly { readonly field: Field; readonly column: string }[] | undefined;
  readonly ignore?: readonly string[] | undefined;
}

/** A phone number whose kind is in another column, as in Google Contacts. */
export interface LabelledPhone {
  readonly label: number | undefined;
  readonly value: number;
}

/** Which columns give which field. Columns are numbered from 0. */
export interface ColumnMapping {
  readonly columns: ReadonlyMap<Field, readonly number[]>;
  readonly labelledPhones: readonly LabelledPhone[];
  readonly ignored: readonly number[];
  /** Those of the ignored columns that no person has named as ignored. */
  readonly undecided: readonly number[];
}

const NAME_FIELDS: readonly Field[] = ['name', 'first_name', 'last_name'];

/** Finds the fields of columns. Throws a refusal if a choice is wrong or a decision is left to a person. */
export function mapColumns(headers: readonly string[], choices: MappingChoices = {}): ColumnMapping {
  const found = new Columns(headers, choices);
  if (found.ambiguous) throw ambiguousColumns(found.ambiguous.field, found.ambiguous.columns, headers);
  const consent = found.unread.filter((column) => speaksOfConsent(headers[column] ?? ''));
  if (consent.length > 0) throw noConsentColumn(consent, headers);
  const { columns, labelledPhones, ignored, unread: undecided } = found;
  return { columns, labelledPhones, ignored, undecided };
}

/** Returns the required fields that no column gives. The list is empty for a header line that an import can use. */
export function missingFields(headers: readonly string[], choices: MappingChoices = {}): ('name' | 'phone')[] {
  const { columns, labelledPhones, ambiguous } = new Columns(headers, choices);
  const has = (field: Field): boolean => columns.has(field) || ambiguous?.field === field;
  return [
    ...(NAME_FIELDS.some(has) ? [] : ['name' as const]),
    ...(has('phone') || labelledPhones.length > 0 ? [] : ['phone' as const]),
  ];
}

/** Returns how many columns are known. */
export function knownColumns(headers: readonly string[]): number {
  const { columns, labelledPhones } = new Columns(headers, {});
  return [...columns.values()].flat().length + labelledPhones.length;
}

class Columns {
  readonly columns = new Map<Field, readonly number[]>();
  labelledPhones: readonly LabelledPhone[] = [];
  ambiguous: { readonly field: Field; readonly columns: readonly number[] } | undefined;
  private readonly headers: readonly string[];
  private readonly keys: readonly string[];
  /** Columns that a person has named, to be read or not. */
  private readonly chosen = new Set<number>();
  private readonly unwanted: ReadonlySet<number>;

  constructor(headers: readonly string[], { map = [], ignore = [] }: MappingChoices) {
    this.headers = headers;
    this.keys = headers.map(headerKey);
    this.unwanted = new Set(ignore.flatMap((column) => this.named(column, '--ignore')));
    for (const column of this.unwanted) this.chosen.add(column);
    for (const { field, column } of map) this.choose(field, column);
    for (const field of FIELDS) if (this.isOpen(field)) this.find(field);
  }

  /** Columns that no field reads, whether or not a person has named them. */
  get ignored(): number[] {
    const read = new Set([
      ...[...this.columns.values()].flat(),
      ...this.labelledPhones.flatMap(({ label, value }) => [label ?? value, value]),
    ]);
    const isReport = (key: string): boolean => REPORT_COLUMNS.some((column) => headerKey(column) === key);
    return this.keys.flatMap((key, column) => (read.has(column) || isReport(key) ? [] : [column]));
  }

  get unread(): number[] {
    return this.ignored.filter((column) => !this.unwanted.has(column));
  }

  private choose(field: Field, typed: string): void {
    const named = this.named(typed, `--map ${field}`);
    const [column] = named;
    if (column === undefined) return;
    if (named.length > 1) this.ambiguous ??= { field, columns: named };
    this.columns.set(field, [...(this.columns.get(field) ?? []), column]);
    this.chosen.add(column);
  }

  private named(typed: string, option: string): readonly number[] {
    const key = headerKey(typed);
    const byHeader = this.keys.flatMap((each, column) => (each === key && key !== '' ? [column] : []));
    if (byHeader.length > 0) return byHeader;
    const number = /^\d{1,4}$/.test(typed.trim()) ? Number(typed) : 0;
    if (number >= 1 && number <= this.headers.length) return [number - 1];
    throw noSuchColumn(typed, option, this.headers.length);
  }

  /** What a person has chosen for the name replaces the other ways to find it. */
  private isOpen(field: Field): boolean {
    const hasChosen = (fields: readonly Field[]): boolean => fields.some((each) => this.columns.has(each));
    if (field === 'name') return !hasChosen(NAME_FIELDS);
    if (field === 'first_name' || field === 'last_name') return !hasChosen(['name', field]);
    return FIELDS_OF_SEVERAL_COLUMNS.includes(field) || !hasChosen([field]);
  }

  private find(field: Field): void {
    if (field === 'phone') return this.findPhone();
    if (field === 'opted_out' || field === 'opted_in') {
      return this.add(
        field,
        this.free((_, header) => consentField(header) === field),
      );
    }
    for (const group of HEADERS[field] ?? []) {
      const columns = this.free((key) => group.includes(key));
      if (columns.length > 0) return this.add(field, columns);
    }
  }

  private findPhone(): void {
    const mobile = this.free((key) => MOBILE_HEADERS.includes(key));
    if (mobile.length > 0) return this.add('phone', mobile);
    this.labelledPhones = this.free((key) => LABELLED_PHONE.test(key)).map((value) => this.labelled(value));
    if (this.labelledPhones.length > 0) return;
    const phones = this.free((key) => PHONE_HEADERS.includes(key));
    if (phones.length > 0) this.add('phone', phones);
  }

  private labelled(value: number): LabelledPhone {
    const [, number = ''] = LABELLED_PHONE.exec(this.keys[value] ?? '') ?? [];
    const label = this.keys.findIndex((key) => labelKeys(number).includes(key));
    return { label: label === -1 ? undefined : label, value };
  }

  private free(isFound: (key: string, header: string) => boolean): number[] {
    return this.keys.flatMap((key, column) =>
      !this.chosen.has(column) && isFound(key, this.headers[column] ?? '') ? [column] : [],
    );
  }

  private add(field: Field, columns: readonly number[]): void {
    const earlier = this.columns.get(field) ?? [];
    if (columns.length === 0) return;
    if (columns.length > 1 && !FIELDS_OF_SEVERAL_COLUMNS.includes(field)) this.ambiguous ??= { field, columns };
    this.columns.set(field, [...earlier, ...columns]);
  }
}
