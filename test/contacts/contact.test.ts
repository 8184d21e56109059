import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoMoment, waitingSinceOf } from '../../src/contacts/moments.ts';

describe('isoMoment', () => {
  it.each([
    ['2020-09-01', '2020-09-01T00:00:00.000Z'],
    ['2020-09-01T10:20', '2020-09-01T10:20:00.000Z'],
    ['2020-09-01T10:20:30', '2020-09-01T10:20:30.000Z'],
    ['2020-09-01T10:20:30.123456+00:00', '2020-09-01T10:20:30.123Z'],
    ['2020-09-01T10:20:30.5Z', '2020-09-01T10:20:30.500Z'],
    ['2020-09-01T00:30:00+02:00', '2020-08-31T22:30:00.000Z'],
    ['2020-09-01T10:20:30-0730', '2020-09-01T17:50:30.000Z'],
    ['2020-02-29', '2020-02-29T00:00:00.000Z'],
    ['2020-09-01 10:00', '2020-09-01T10:00:00.000Z'],
    ['2020-09-01 10:00:00', '2020-09-01T10:00:00.000Z'],
    ['2020-09-01 10:00:00.123456+02', '2020-09-01T08:00:00.123Z'],
    ['2020-09-01 10:00:00 UTC', '2020-09-01T10:00:00.000Z'],
    ['2020-09-01 10:00:00 -0730', '2020-09-01T17:30:00.000Z'],
  ])('reads %s as %s', (text, moment) => expect(isoMoment(text)?.toISOString()).toBe(moment));

  it.each([
    '01/09/2020',
    '2020-9-1',
    '2021-02-29',
    '2020-13-01',
    '2020-09-01 10:00:00 CET',
    '9/1/2020 10:00',
    '2020-09-01T25:00Z',
    'now',
    '5',
  ])('accepts no moment in %s', (text) => expect(isoMoment(text)).toBeUndefined());

  it('reads every date that Date.toISOString writes', () => {
    const years = {
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    fc.assert(fc.property(fc.date(years), (date) => void expect(isoMoment(date.toISOString())).toEqual(date)));
  });
});

describe('waitingSinceOf', () => {
  const createdAt = new Date(1);
  const lastInboundAt = new Date(3);
  const lastOutboundAt = new Date(2);

  it.each([
    ['not-started', 1],
    ['needs-reply', 3],
    ['in-progress', 2],
    ['awaiting-contact', 2],
    ['closed', 3],
  ] as const)('derives the moment of a conversation in status %s from its messages', (status, at) => {
    expect(waitingSinceOf(status, { createdAt, lastInboundAt, lastOutboundAt }).getTime()).toBe(at);
    expect(waitingSinceOf(status, { createdAt, lastInboundAt: null, lastOutboundAt: null })).toBe(createdAt);
  });
});
