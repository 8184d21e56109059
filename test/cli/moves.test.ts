import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchId } from '../../src/mongo/documents.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { rawBatches } from '../support/raw.ts';
import { oneSlice, runToEnd } from '../support/run-operation.ts';

describe('the moves of an operation as CSV', () => {
  let harness: Harness;
  let cli: Cli;
  beforeAll(async () => {
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
  });
  afterAll(() => harness.close());

  async function seed() {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(
      campaignId,
      Array.from({ length: 20 }, () => ({})),
    );
    const asked = { operationId: harness.newId('op'), campaignId } as const;
    return { kind: 'reassign', ...asked, from: 'pool', to: 'everyone', status: 'any' } as const;
  }

  const rowsOf = async (operationId: string): Promise<string[]> =>
    (await cli.run(['moves', operationId, '--csv'])).out.trim().split('\n').slice(1);

  it('do not end at the many batches of a page that moved and skipped nothing', async () => {
    const request = await seed();
    await runToEnd(harness.context.stores, request);
    const { batches } = harness.context.database;
    const [first, ...others] = await rawBatches(harness, request.operationId);
    if (!first) throw new Error('the operation has no batch');
    const numbered = (doc: typeof first, number: number) => ({ ...doc, number, _id: batchId(doc.operationId, number) });
    const empty = Array.from({ length: 600 }, (_, at) => numbered({ ...first, moves: [], skips: [] }, at + 2));
    await batches.deleteMany({ operationId: request.operationId, number: { $gt: 1 } });
    await batches.insertMany([...empty, ...others.map((doc) => numbered(doc, doc.number + empty.length))]);
    expect(await rowsOf(request.operationId)).toHaveLength(20);
  });

  it('end at the part that a running operation has done so far', async () => {
    const request = await seed();
    await oneSlice(harness.context.stores, request);
    const rows = await rowsOf(request.operationId);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThan(20);
    expect((await cli.run(['moves', request.operationId])).out).toMatch(
      /The operation is running\. Continue with --after \d+-\d+/,
    );
  });
});
