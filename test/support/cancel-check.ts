import { expect } from 'vitest';
import { askedMeant } from './campaign-actions.ts';
import type { CancelRequest } from './campaign-requests.ts';
import { remember } from './claim-model.ts';
import type { Harness } from './harness.ts';
import type { Model } from './model.ts';
import { answerOf } from './operation-check.ts';
import { rawOperation } from './raw.ts';
import { until } from './until.ts';

interface Scene {
  readonly harness: Harness;
  readonly model: Model;
  readonly campaignId: string;
}

/** Of what goes on, a claim that waits ends with what it has. What has ended is not touched. */
export async function cancelAlone({ harness, model, campaignId }: Scene, { which }: CancelRequest): Promise<void> {
  const operationId = askedMeant(model, which);
  const waiting = model.waiting.find(({ operationId: claimId }) => claimId === operationId);
  const answer = await answerOf(harness.producer.cancel({ operationId, campaignId }));
  if (waiting) {
    model.waiting = model.waiting.filter((claim) => claim !== waiting);
    model.cancelled.add(operationId);
    remember(model, waiting);
    const receipt = { moved: waiting.granted.length, asked: waiting.count, shortBecause: 'stopped', left: 0 };
    expect(answer).toMatchObject({ operationId, receipt });
  }
  if (model.cancelled.has(operationId)) await holdCancelled(harness, operationId, answer);
  else expect(answer).toBe(model.past.has(operationId) ? 'operation-ended' : 'unknown-operation');
}

/** As soon as the ledger knows it; it may end by itself before. */
export async function cancelOnceKnown({ harness, campaignId }: Omit<Scene, 'model'>, operationId: string) {
  const { operations } = harness.context.stores;
  await until(`${operationId} to be recorded`, () => operations.findOperationOrClaim(operationId));
  const answer = await answerOf(harness.producer.cancel({ operationId, campaignId }));
  if (answer !== 'operation-ended') await holdCancelled(harness, operationId, answer);
  return answer;
}

async function holdCancelled(harness: Harness, operationId: string, answer: unknown): Promise<void> {
  const { state, receipt } = await rawOperation(harness, operationId);
  expect(answer).toEqual({ operationId, state: 'cancelled', receipt });
  expect(state).toBe('cancelled');
}
