import { describe, expect, it } from 'vitest';
import { consentField, saysOptedOut, saysOutAnywhere, speaksOfConsent } from '../../src/contacts/consent.ts';
import { mapColumns, missingFields, type MappingChoices } from '../../src/contacts/mapping.ts';

const fieldsOf = (headers: readonly string[], choices?: MappingChoices) =>
  Object.fromEntries(
    [...mapColumns(headers, choices).columns].map(([field, [column = -1]]) => [field, headers[column]]),
  );

describe('the fields of columns', () => {
  it('are found by whole headers, however they are written', () => {
    expect(fieldsOf(['FIRST_NAME', 'last name ', 'Cell\nPhone', 'VAN-ID'])).toEqual({
      first_name: 'FIRST_NAME',
      last_name: 'last name ',
      phone: 'Cell\nPhone',
      external_id: 'VAN-ID',
    });
    expect(fieldsOf(['Prénom', 'Nom', 'Téléphone portable', 'Numéro de téléphone'])).toEqual({
      first_name: 'Prénom',
      last_name: 'Nom',
      phone: 'Téléphone portable',
    });
    expect(fieldsOf(['name', 'phone', 'texterCell', 'membership_status', 'username'])).toEqual({
      name: 'name',
      phone: 'phone',
    });
  });

  it('never fall back from a column of mobile numbers to another phone column', () => {
    expect(fieldsOf(['Name', 'Phone', 'Mobile', 'Home Phone'])['phone']).toBe('Mobile');
    expect(mapColumns(['Name', 'Phone', 'Mobile']).ignored).toEqual([1]);
    expect(missingFields(['Name', 'Home Phone', 'Work Phone', 'Fax'])).toEqual(['phone']);
  });

  it('are chosen by a person where two columns are as good', () => {
    expect(() => mapColumns(['name', 'cell', 'mobile'])).toThrow(/column 2 \("cell"\) and column 3 \("mobile"\) could/);
    expect(() => mapColumns(['name', 'phone', 'phone'])).toThrow(/--map phone=2/);
    expect(fieldsOf(['name', 'cell', 'mobile'], { map: [{ field: 'phone', column: '3' }] })['phone']).toBe('mobile');
    expect(fieldsOf(['name', 'cell', 'mobile'], { ignore: ['cell'] })['phone']).toBe('mobile');
    expect(() => mapColumns(['name', 'phone', 'x', 'x'], { map: [{ field: 'external_id', column: 'x' }] })).toThrow(
      /external_id=3/,
    );
  });

  it('of the name come from the columns that a person has named, and from no others', () => {
    const headers = ['Name', 'First', 'Last', 'Phone'];
    expect(fieldsOf(headers, { map: [{ field: 'name', column: 'First' }] })).toEqual({ name: 'First', phone: 'Phone' });
    expect(fieldsOf(headers, { map: [{ field: 'first_name', column: 'First' }] })).toEqual({
      first_name: 'First',
      last_name: 'Last',
      phone: 'Phone',
    });
  });
});

describe('consent', () => {
  it.each([
    'Opt Out',
    'optedOut',
    'contact[optOut]',
    'sms_opt_out',
    'Unsubscribed',
    'opted_out_at',
    'DNC',
    'Do Not Call',
  ])('is read from a column whose meaning is certain: %s', (header) => expect(consentField(header)).toBe('opted_out'));

  it.each(['mobile_opt_in', 'SMS Consent', 'textOptIn', 'Accepts SMS Marketing'])(
    'is read the other way round where a no is an opt-out: %s',
    (header) => expect(consentField(header)).toBe('opted_in'),
  );

  it.each([
    'Email Opt Out',
    'Opted out of email: News',
    'consent',
    'STOP',
    'opt in',
    "Don't text?",
    'Has Opted Out of Fax',
    'Can we text you?',
    'May we send you text messages about events near you?',
    'Text OK',
    'okToText',
    'I agree to receive SMS updates',
    'Permission to text',
  ])('is left to a person where the header only speaks of it: %s', (header) => {
    expect(consentField(header)).toBeUndefined();
    expect(() => mapColumns(['name', 'phone', header])).toThrow(/may say who wants no messages/);
    expect(mapColumns(['name', 'phone', header], { ignore: [header] }).ignored).toEqual([2]);
  });

  it.each([
    'Options',
    'Adoption',
    'Co-op',
    'question[Will you stop by our office on Saturday?]',
    'OPTIN_TIME',
    'Stopover',
    'Text of the invitation',
    'Can you host an event?',
    'Can2Phone',
  ])('is not what a header speaks of that has such letters: %s', (header) =>
    expect(speaksOfConsent(header)).toBe(false),
  );

  it.each([
    ['unsubscribed', true],
    ['Do not text', true],
    ['volunteer; Opted-Out', true],
    ['STOP', true],
    ["don't text", true],
    ['Don’t contact', true],
    ['do not SMS', true],
    ['unsub', true],
    ['STOPALL', true],
    ['Do Not Call/DNC', true],
    ['Unsubscribed (SMS)', true],
    ['subscribed', false],
    ["don't know", false],
    ['please stop by', false],
    ['out', false],
    ['optional', false],
  ])('is said by %j in a column about anything: %s', (text, isOut) => expect(saysOutAnywhere(text)).toBe(isOut));

  it.each([
    ['Y', true],
    ['STOP', true],
    ['Opted Out', true],
    ['2026-09-02T14:01:33.000Z', true],
    ['9/2/2026 14:01', true],
    ['1.0', true],
    ['N', false],
    ['0', false],
    ['', false],
    ['subscribed', false],
    ['perhaps', undefined],
  ])('reads %j in a column of opt-outs as %s', (text, isOut) => {
    expect(saysOptedOut('opted_out', text)).toBe(isOut);
  });

  it.each([
    ['no', true],
    ['STOP', true],
    ['true', false],
    ['2026-09-02', false],
    ['', false],
    ['unknown', false],
    ['perhaps', undefined],
  ])('reads %j in a column of agreements as %s', (text, isOut) => {
    expect(saysOptedOut('opted_in', text)).toBe(isOut);
  });
});
