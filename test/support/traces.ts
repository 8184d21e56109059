import type { Harness } from './harness.ts';
import { rawBatches, rawConversations, rawOperation } from './raw.ts';

/** Everything that an operation leaves behind, ids and clocks apart. */
export async function traces(
  harness: Harness,
  request: { readonly campaignId: string; readonly operationId: string },
): Promise<unknown> {
  const { campaignId, operationId } = request;
  const { state, error, receipt } = await rawOperation(harness, operationId);
  const documents = [...(await rawConversations(harness, campaignId)).values()];
  const batches = await rawBatches(harness, operationId);
  const campaign = await harness.context.database.campaigns.findOne({ _id: campaignId });
  const inOrder = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  return {
    state,
    code: error?.code,
    receipt: receipt && {
      ...receipt,
      skipped: inOrder(receipt.skipped),
      bySource: inOrder(receipt.bySource),
      byTarget: inOrder(receipt.byTarget),
      byStatus: inOrder(receipt.byStatus),
    },
    next: campaign?.rotation.nextJoinedOrder,
    conversations: documents.map(({ assigneeId, assignmentVersion, history }) => [
      assigneeId,
      assignmentVersion,
      history.map(({ from, to }) => [from, to]),
    ]),
    batches: batches.map(({ number, state, moves, skips }) => [
      number,
      state,
      moves.map(({ from, to, status, count }) => [from, to, status, count]),
      skips.map(({ reason, count }) => [reason, count]),
    ]),
  };
}
