import { expect } from 'vitest';
import type { Harness } from './harness.ts';
import { holdBatches, holdEvenness, holdMoments, holdReceipt } from './hold-against.ts';
import type { Expectation, Model } from './model.ts';
import { rawConversations, rawOperation } from './raw.ts';
import type { AnyRequest, LockInput } from './send.ts';

/** What a result came to: the result, or the code of what it threw. */
export function answerOf(result: Promise<unknown>): Promise<unknown> {
  return result.catch((error: unknown) => (error instanceof Error && 'code' in error ? error.code : error));
}

/** What a preview must say: whoever asks for one has nothing to confirm yet. */
export function previewExpectation(model: Model, request: LockInput): Expectation {
  if (request.kind !== 'unassign' || request.count !== undefined) return model.expect(request);
  const { from, status } = request;
  const assignees = from === 'everyone' ? model.texters.map(({ texterId }) => texterId) : from.texterIds;
  return model.expect({ ...request, confirm: model.select(assignees, status).length });
}

/** An operation's answer, ledger, receipt and batches are what the model expects of it. */
export async function holdOperation(
  { harness, model }: { harness: Harness; model: Model },
  request: AnyRequest,
  expected: Expectation,
  answer: unknown,
): Promise<void> {
  const operation = await rawOperation(harness, request.operationId);
  if (expected.refusals.length > 0) {
    expect(expected.refusals).toContain(answer);
    expect(operation).toMatchObject({ state: 'failed', error: { code: answer } });
    return;
  }
  expect(answer).toMatchObject({ state: 'done', operationId: request.operationId, receipt: operation.receipt });
  holdReceipt(operation.receipt, expected, request);
  holdMoments(await rawConversations(harness, request.campaignId), operation);
  await holdBatches(harness, request.operationId, expected);
  if (request.kind === 'reassign' && request.spread !== 'level')
    holdEvenness(expected, model, targetsOf(model, request));
}

function targetsOf(model: Model, { from, to }: AnyRequest & { kind: 'reassign' }): string[] {
  const named = typeof from === 'string' ? [] : from.texterIds;
  const others = model.texters.filter(({ active, texterId }) => active && !named.includes(texterId));
  return to === 'everyone' ? others.map(({ texterId }) => texterId) : [...new Set(to.texterIds)];
}
