import type { mongo } from 'mongoose';

/*
 * Other programs write the same documents and can store a value of any type in any field. These functions read a value of
 * the wrong type as a missing one, as the table in docs/other-programs.md says.
 */

export function storedText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A date outside of the years that JavaScript knows counts as missing: its time is not a number. */
export function storedDate(value: unknown): Date | null {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value : null;
}

/** Reads a whole number that is at least `min`. */
export function storedCount(value: unknown, min = 0): number | null {
  return Number.isSafeInteger(value) && (value as number) >= min ? (value as number) : null;
}

/** Returns the fields of an embedded document. A text, a list or a missing value has none. */
export function storedFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** Above this, adding 1 to a double may change nothing. */
const COUNTER_MAX = 2 ** 52;

/**
 * The update that adds to a counter. `$inc` fails on a value of another type. This update takes such a value for 0: a
 * comparison in an expression orders values of different types, so that only numbers are between two numbers.
 */
export function increment(field: string, by = 1): mongo.Document[] {
  const value = `$${field}`;
  const isCount = { $and: [{ $gte: [value, 0] }, { $lt: [value, COUNTER_MAX] }] };
  return [{ $set: { [field]: { $add: [{ $cond: [isCount, value, 0] }, by] } } }];
}

/**
 * Stands for a stored record that cannot be read, because another program has changed it. It takes the place of the record in
 * an answer about several, so that the others can still be read.
 */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord';
  /** The id of the record. */
  readonly id: string;

  constructor(noun: string, id: string, cause: unknown) {
    super(`the record of this ${noun} cannot be read; another program has changed it`, { cause });
    this.id = id;
  }
}

/** Reads one of several records with `read`, and returns a {@link DamagedRecord} where that is not possible. */
export function readOrDamaged<Found>(noun: string, id: string, read: () => Found): Found | DamagedRecord {
  try {
    return read();
  } catch (error) {
    return new DamagedRecord(noun, id, error);
  }
}
