import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { totalUp } from '../../src/domain/receipt.ts';
import { claimDoc, conversationDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';

describe('the models', () => {
  let harness: Harness;
  let campaignId: string;
  beforeAll(async () => {
    harness = await Harness.open();
    campaignId = await harness.seedCampaign(1);
    const { kind, request, granted, ...undo } = claimDoc({ _id: 'op_undo', campaignId });
    const undone = { kind: 'undo', operationId: 'op_undo', campaignId } as const;
    await harness.seeder.operations([
      claimDoc({ _id: 'cl_1', campaignId, waiting: { sequence: 1, until: new Date(0) } }),
      { ...undo, kind: 'undo', request: undone, plan: null, sequence: 1 },
    ]);
  });
  afterAll(() => harness.close());

  it('find claims by the field kind among all operations', async () => {
    const { operations, claims } = harness.context.database.models;
    const all = await operations.find({ campaignId }).sort({ _id: 1 }).lean();
    expect(all.map(({ _id, kind }) => [_id, kind])).toEqual([
      ['cl_1', 'self-assign'],
      ['op_undo', 'undo'],
    ]);
    const [claim, ...others] = await claims.find({ campaignId, 'waiting.sequence': { $gt: 0 } }).lean();
    expect(others).toEqual([]);
    expect(claim).toMatchObject({ _id: 'cl_1', granted: [], waiting: { sequence: 1 } });
    expect(await claims.findOne({ _id: 'op_undo' }).lean()).toBeNull();
  });

  it('refuse fields that no schema has, in documents, filters and updates', async () => {
    const { operations, conversations, claims } = harness.context.database.models;
    const unknown = { name: 'StrictModeError' };
    expect(() => new conversations({ ...conversationDoc(1, { campaignId }), holder: null })).toThrow('holder');
    await expect(operations.findOne({ turn: campaignId } as object).lean()).rejects.toMatchObject(unknown);
    await expect(claims.updateOne({ _id: 'cl_1' }, { $set: { turn: 'x' } })).rejects.toMatchObject(unknown);
    const misspelled = claims.findOne({ 'waiting.sequnce': { $exists: true } } as object).lean();
    await expect(misspelled).rejects.toMatchObject(unknown);
  });

  it('refuse a receipt, an error and a cancellation with a field that no schema has', async () => {
    const { operations } = harness.context.database.models;
    const write = (fields: object): Promise<unknown> => operations.updateOne({ _id: 'op_undo' }, { $set: fields });
    const unknown = { name: 'CastError', reason: { name: 'StrictModeError' } };
    const receipt = { ...totalUp([], [], { asked: null, ended: true }), total: 1 };
    await expect(write({ receipt })).rejects.toMatchObject(unknown);
    await expect(write({ error: { code: 'x', message: 'y', got: 'z' } })).rejects.toMatchObject(unknown);
    await expect(write({ cancellation: { by: null, why: 'x', at: new Date() } })).rejects.toMatchObject(unknown);
  });

  it('refuse a claim without a texter, and the fields of a claim on another operation', async () => {
    const { operations } = harness.context.database.models;
    const claim = claimDoc({ _id: 'cl_2', campaignId });
    await expect(new operations({ ...claim, request: {} }).validate()).rejects.toThrow('request.texterId');
    expect(() => new operations({ ...claim, kind: 'undo' })).toThrow('granted');
  });
});
