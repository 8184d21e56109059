import { describe, expect, it } from 'vitest';
import { isId, organisationOf, toOutsideId, toOutsideText, toStoredId } from '../../src/domain/id-rules.ts';
import { campaignId, outsideId, texterId } from '../../src/domain/ids.ts';

describe('the ids of organisations', () => {
  it('never collide: no id that a caller can choose has an organisation in front', () => {
    const plain = outsideId('a campaign');
    expect(toStoredId('default', 'c1')).toBe('c1');
    expect(toStoredId('acme', 'c1')).toBe('acme~c1');
    for (const chosen of ['acme~c1', '~c1', 'a~b~c']) expect(plain.safeParse(chosen).success).toBe(false);
    for (const chosen of ['acme:c1', 'acme|c1', 'acme.c1']) expect(organisationOf(chosen)).toBe('default');
    expect(texterId.safeParse('acme~t1').success).toBe(false);
  });

  it('are accepted as they are stored, with one organisation in front', () => {
    for (const stored of ['c1', 'acme~c1', `acme~${'x'.repeat(64)}`]) {
      expect(campaignId.safeParse(stored).success).toBe(true);
      expect(isId(stored)).toBe(true);
    }
    for (const wrong of ['~c1', 'Acme~c1', 'acme~', 'a~b~c', `acme~${'x'.repeat(65)}`, 'acme~-', '9a~c']) {
      expect(campaignId.safeParse(wrong).success).toBe(false);
    }
  });

  it('are written as the organisation knows them', () => {
    expect(organisationOf('acme~c1')).toBe('acme');
    expect(toOutsideId('acme~c1')).toBe('c1');
    expect(toOutsideText('acme', 'operation acme~op-1 of campaign "acme~c1"')).toBe('operation op-1 of campaign "c1"');
  });
});
