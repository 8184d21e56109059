import type { Status } from '../domain/conversation.ts';

/** ISO 8601, and the ways in which databases write it: with a blank, with a short offset, or with the word UTC. */
const MOMENT =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)? ?(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?$/i;
const SECONDS = /^:(\d{2})(?:\.(\d+))?$/;

/**
 * Reads a date, or date and time, to the millisecond. A time without an offset is UTC. Returns `undefined` for any other text
 * and for days that do not exist.
 */
export function isoMoment(text: string): Date | undefined {
  const match = MOMENT.exec(text);
  if (!match) return undefined;
  const [, day = '', minutes = '00:00', seconds = ':00', offset = 'Z'] = match;
  const [, second = '00', fraction = ''] = SECONDS.exec(seconds) ?? [];
  const moment = new Date(`${day}T${minutes}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${zoneOf(offset)}`);
  return isDay(day) && !Number.isNaN(moment.getTime()) ? moment : undefined;
}

function zoneOf(offset: string): string {
  if (/^[a-z]/i.test(offset)) return 'Z';
  const digits = offset.slice(1).replace(':', '').padEnd(4, '0');
  return `${offset.slice(0, 1)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/** `Date` turns 30 February into 1 March, so a day exists only if it comes back unchanged. */
function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00.000Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

export interface Moments {
  readonly createdAt: Date;
  readonly lastInboundAt: Date | null;
  readonly lastOutboundAt: Date | null;
}

/** Derives since when a conversation has waited in its status from the moments of its messages. */
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
