import type { Status } from '../domain/conversation.ts';

const PHONE = /^\+?[0-9]{7,15}$/;
const PHONE_PUNCTUATION = /[\s().-]/g;

/** A phone number without the punctuation people write, or `undefined` when it is none. */
export function normalisedPhone(text: string): string | undefined {
  const plain = text.replace(PHONE_PUNCTUATION, '');
  return PHONE.test(plain) ? plain : undefined;
}

const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const FRACTION_AND_SECONDS = /^:(\d{2})(?:\.(\d+))?$/;

/**
 * An ISO 8601 date, or date and time, to the millisecond; without an offset it is UTC, wherever it is read.
 * `undefined` for anything else, days that no calendar has among them.
 */
export function isoMoment(text: string): Date | undefined {
  const match = MOMENT.exec(text);
  if (!match) return undefined;
  const [, day = '', minutes = '00:00', seconds = ':00', offset = 'Z'] = match;
  const [, second = '00', fraction = ''] = FRACTION_AND_SECONDS.exec(seconds) ?? [];
  const zone = offset === 'Z' || offset.includes(':') ? offset : `${offset.slice(0, 3)}:${offset.slice(3)}`;
  const moment = new Date(`${day}T${minutes}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`);
  // `Date` turns 30 February into 1 March; what was written must be what was meant.
  const asWritten = new Date(`${day}T00:00:00.000Z`);
  if (Number.isNaN(moment.getTime()) || Number.isNaN(asWritten.getTime())) return undefined;
  return asWritten.toISOString().startsWith(day) ? moment : undefined;
}

/** The moments that a conversation's status can be waiting since. */
export interface Moments {
  readonly createdAt: Date;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
}

/** Since when a conversation in this status has been waiting, as far as its messages tell. */
export function waitingSinceOf(status: Status, { createdAt, lastInboundAt, lastOutboundAt }: Moments): Date {
  switch (status) {
    case 'not-started':
      return createdAt;
    case 'needs-reply':
      return lastInboundAt ?? createdAt;
    case 'in-progress':
    case 'awaiting-contact':
      return lastOutboundAt ?? createdAt;
    case 'closed':
      return later(lastInboundAt, lastOutboundAt) ?? createdAt;
  }
}

function later(a: Date | null, b: Date | null): Date | null {
  if (!a || !b) return a ?? b;
  return a > b ? a : b;
}
