/** Loaded before a worker (`--import`). Shifts the clock of its process by `CLOCK_OFFSET_MS`. */
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

// Some libraries recognise a date by the name of its class.
Object.defineProperty(SkewedDate, 'name', { value: 'Date' });
globalThis.Date = SkewedDate as DateConstructor;

export {};
