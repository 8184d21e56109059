import { expect } from 'vitest';
import type { Harness } from '../harness.ts';
import { rawOperation } from '../raw.ts';
import { resultOrCode } from '../any-request.ts';
import { until } from '../until.ts';
import { recordPast } from './claim-rules.ts';
import { operationIdAt } from './requests.ts';
import type { RunContext } from './run-context.ts';
import type { CancelAction } from './steps.ts';

/** Cancels while nothing runs: a waiting claim ends with its conversations, and anything that has ended is refused. */
export async function cancelAlone({ harness, model, campaignId }: RunContext, { which }: CancelAction): Promise<void> {
  const operationId = operationIdAt(model, which);
  const waiting = model.waiting.find((claim) => claim.operationId === operationId);
  const answer = await resultOrCode(harness.producer.cancel({ operationId, campaignId }));
  if (waiting) {
    model.waiting = model.waiting.filter((claim) => claim !== waiting);
    model.cancelled.add(operationId);
    recordPast(model, waiting);
    const receipt = { moved: waiting.granted.length, asked: waiting.count, shortBecause: 'stopped', left: 0 };
    expect(answer).toMatchObject({ operationId, receipt });
  }
  if (model.cancelled.has(operationId)) await checkCancelled(harness, operationId, answer);
  else expect(answer).toBe(model.past.has(operationId) ? 'operation-ended' : 'unknown-operation');
}

/** Cancels an operation as soon as it is recorded. It may still end before it is cancelled. */
export async function cancelWhenRecorded({ harness, campaignId }: RunContext, operationId: string): Promise<unknown> {
  const { operations } = harness.context.stores;
  await until(`${operationId} to be recorded`, () => operations.findOperationOrClaim(operationId));
  const answer = await resultOrCode(harness.producer.cancel({ operationId, campaignId }));
  if (answer !== 'operation-ended') await checkCancelled(harness, operationId, answer);
  return answer;
}

async function checkCancelled(harness: Harness, operationId: string, answer: unknown): Promise<void> {
  const { state, receipt } = await rawOperation(harness, operationId);
  expect(answer).toEqual({ operationId, state: 'cancelled', receipt });
  expect(state).toBe('cancelled');
}
