/** Loaded before a worker (`--import`): its clock is off by `CLOCK_OFFSET_MS`, as on a machine that nobody set. */
const OFFSET_MS = Number(process.env['CLOCK_OFFSET_MS']);
const RightDate = Date;

class SkewedDate extends RightDate {
  constructor(...parts: [] | [value: number | string | Date]) {
    if (parts.length === 0) super(SkewedDate.now());
    else super(...parts);
  }

  static override now(): number {
    return RightDate.now() + OFFSET_MS;
  }
}

// Libraries know it by its name.
Object.defineProperty(SkewedDate, 'name', { value: 'Date' });
globalThis.Date = SkewedDate as DateConstructor;

export {};
