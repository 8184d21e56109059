import { describe, expect, it } from 'vitest';
import { canonicalPhone, countryOf, readPhone } from '../../src/domain/phone.ts';

describe('reading a phone number', () => {
  it.each([
    '(202) 555-0199',
    '+12025550199',
    '12025550199',
    '001 202 555 0199',
    '011 1 202 555 0199',
    '202.555.0199',
    '202–555–0199',
    '2025550199.0',
    '2.025550199E+09',
    '2,025550199E+09',
    '2,025,550,199',
    "'2025550199",
    '="2025550199"',
    'tel:+1-202-555-0199',
    '２０２５５５０１９９',
    '٢٠٢٥٥٥٠١٩٩',
    '\u202a+1202\u00a0555\u00a00199\u202c',
  ])('reads %s in the United States as +12025550199', (text) =>
    expect(readPhone(text, 'US')).toEqual({ phone: '+12025550199' }),
  );

  it.each([
    ['+61 491 570 156', '+61491570156'],
    ['0061 491 570 157', '+61491570157'],
    ['+49 (0)171-3920010', '+491713920010'],
    ['+49 171/3920010', '+491713920010'],
    ['p:+491713920010', '+491713920010'],
    ['+49 171 3920010 ::: +49 (0)1713920010', '+491713920010'],
  ])('reads %s as %s in any country and without one', (text, phone) => {
    for (const country of ['US', 'IN', null]) expect(readPhone(text, country)).toEqual({ phone });
  });

  it.each([
    ['2.02556E+09', 'has lost digits'],
    ['2,02556E+09', 'has lost digits'],
    ['#N/A', 'contains letters'],
    ['=HYPERLINK("tel:+12025550195","202-555-0195")', 'begins like a formula'],
    ['(202) 555-CARE', 'contains letters'],
    ['202-555-0101 x123', 'has an extension'],
    ['(202) 555-0101 ext. 12', 'has an extension'],
    ['=""', 'is missing'],
    ['-2025550196', 'begins like a formula'],
    ['2026-09-01', 'is a date'],
    ['202555.0198', 'is a decimal number'],
    ['++12025550116', 'two plus signs'],
    ['202-555-0102 / 202-555-0103', 'more than one phone number'],
    ['202-555-0102/03', 'more than one phone number'],
    ['9/1/2026', 'is a date'],
    ['555-0104 555-0105', 'not valid in the country US'],
    ['0000000000', 'is not valid'],
    ['1234567890', 'not valid in the country US'],
    ['61491570159', 'not valid in the country US'],
    ['+15550100001', 'is not valid'],
    ['800-555-0199', 'not a mobile number'],
    ['+44 20 7946 0123', 'not a mobile number'],
  ])('does not read %s, and says why (%s) without its digits', (text, problem) => {
    const reading = readPhone(text, 'US');
    expect(reading).toEqual({ problem: expect.stringContaining(problem) as string });
    expect(JSON.stringify(reading)).not.toMatch(/\d/);
  });

  it('reads no national number without a country, because it could be the number of another person', () => {
    expect(readPhone('07400 123456', 'GB')).toEqual({ phone: '+447400123456' });
    expect(readPhone('07400 123456', null)).toEqual({ problem: expect.stringContaining('no country code') as string });
  });
});

it('a stored number keeps its meaning although it is a fixed line or written without punctuation', () => {
  expect(canonicalPhone('12025550199', 'US')).toBe('+12025550199');
  expect(canonicalPhone('+442079460123', null)).toBe('+442079460123');
  expect(canonicalPhone('2025550199', null)).toBeUndefined();
});

it('a country is named by its ISO 3166 code in any case', () => {
  expect([countryOf('us'), countryOf(' GB '), countryOf('USA'), countryOf('ZZ')]).toEqual([
    'US',
    'GB',
    undefined,
    undefined,
  ]);
});
