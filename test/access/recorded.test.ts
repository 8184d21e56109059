import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addTexters, setActive, setEachActive } from '../../src/campaigns/index.ts';
import { Harness } from '../support/harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

const newest = async () => (await harness.context.changes.list('default', 1))[0];

describe('the record of a change', () => {
  it('does not call a change failed that was made, when only the outcome cannot be recorded', async () => {
    const campaignId = await harness.seedCampaign(1);
    const { changes } = harness.context;
    const broken = {
      begin: changes.begin.bind(changes),
      list: changes.list.bind(changes),
      end: () => Promise.reject(new Error('the connection was lost')),
    };
    const paused = await setActive({ ...harness.context, changes: broken }, campaignId, 't1', false);
    expect(paused).toMatchObject({ texterId: 't1', active: false });
    expect(await newest()).toMatchObject({ kind: 'texters-paused', subjectIds: ['t1'], outcome: null });
  });

  it('names the texters of a list that did change, and the refusal when none did', async () => {
    const campaignId = await harness.seedCampaign(2);
    await setEachActive(harness.context, campaignId, ['t1', 'nobody', 't2'], false);
    expect(await newest()).toMatchObject({ kind: 'texters-paused', subjectIds: ['t1', 't2'], outcome: 'partly' });
    await setEachActive(harness.context, campaignId, ['nobody'], false);
    expect(await newest()).toMatchObject({ subjectIds: ['nobody'], outcome: 'unknown-texter' });
    const taken = { texterId: 't1', name: 'Kevin' };
    await addTexters(harness.context, campaignId, [taken, { texterId: 't3', name: 'Alma' }]);
    expect(await newest()).toMatchObject({ kind: 'texters-added', subjectIds: ['t3'], outcome: 'partly' });
    await addTexters(harness.context, campaignId, [taken]);
    expect(await newest()).toMatchObject({ subjectIds: ['t1'], outcome: 'texter-exists' });
    await setEachActive(harness.context, campaignId, ['t1', 't2'], true);
    expect(await newest()).toMatchObject({ kind: 'texters-resumed', subjectIds: ['t1', 't2'], outcome: 'done' });
  });
});
