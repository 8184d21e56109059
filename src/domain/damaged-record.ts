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
