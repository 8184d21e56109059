import { expect } from 'vitest';
import type { ClaimInput } from '../../../src/claims/contract.ts';
import { resultOrCode } from '../any-request.ts';
import { until } from '../until.ts';
import { serveClaims, type ServedClaim } from './claim-rules.ts';
import type { RecordedMove } from './document-checks.ts';
import type { RunContext } from './run-context.ts';

/** Long enough for a busy machine. A claim that is not served by then would never be served. */
export const SERVED_MS_MAX = 10_000;

/** Serves the waiting claims in the model, and waits until they are served in the database. Returns the moves. */
export function checkWaitingClaims(context: RunContext): Promise<RecordedMove[]> {
  return checkServedClaims(context, serveClaims(context.model, []));
}

/** Waits until the database has served these claims as the model has. Returns the moves. */
export async function checkServedClaims(
  { harness }: RunContext,
  served: readonly ServedClaim[],
): Promise<RecordedMove[]> {
  const { claims } = harness.context.stores;
  for (const { claim, state, refusal, shortBecause, given } of served) {
    const stored = await until(
      `claim ${claim.operationId} to have ${claim.granted.length} conversations and be ${state}`,
      async () => {
        const found = await claims.find(claim.operationId);
        const isServed = found && (found.waiting !== null) === (state === 'waiting');
        return isServed && found.granted.length >= claim.granted.length && found;
      },
      SERVED_MS_MAX,
    );
    expect(stored.granted).toEqual(claim.granted);
    if (state === 'failed') expect(stored.error?.code).toBe(refusal);
    else if (refusal && state === 'done') expect(stored.receipt?.shortBecause).toBe(refusal);
    // A waiting claim that a rule blocks keeps its earlier receipt.
    else if (!refusal && (given.length > 0 || state === 'done'))
      expect(stored.receipt).toMatchObject({ moved: claim.granted.length, asked: claim.count, shortBecause });
  }
  return served.flatMap(({ claim: { operationId, texterId }, given }) =>
    given.map((id) => ({ id, from: null, to: texterId, operationId, by: texterId })),
  );
}

/** Sends a served claim again, and checks that it gets the stored answer each time. */
export async function checkClaimAnswers(
  { harness }: RunContext,
  input: ClaimInput,
  { claim, refusal }: ServedClaim,
  times: number,
): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const answer = await resultOrCode((await harness.producer.selfAssign(input)).result());
    expect(answer).toEqual(refusal ?? expect.objectContaining({ conversationIds: claim.granted }));
  }
}
