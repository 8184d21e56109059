import { expect } from 'vitest';
import { TOO_EARLY_CODES } from '../../../src/domain/errors.ts';
import type { Producer } from '../../../src/producer/producer-port.ts';
import type { ClaimInput } from '../../../src/claims/contract.ts';
import { rawOperation } from '../raw.ts';
import { sendRequest } from '../../../src/producer/send-many.ts';
import { isLockInput, resultOrCode, type ModelRequest } from '../any-request.ts';
import { until } from '../until.ts';
import { cancelWhenRecorded } from './cancellations.ts';
import { SERVED_MS_MAX } from './claim-checks.ts';
import { asModelClaim, recordPast, serveClaims } from './claim-rules.ts';
import { recordedMoves, type RecordedMove } from './document-checks.ts';
import { pastMovesIn, snapshotOf } from './invariants.ts';
import { checkOperation } from './operation-checks.ts';
import { expectedResult } from './operation-rules.ts';
import { asModelConversation } from './outside-changes.ts';
import { claimFor, requestFor } from './requests.ts';
import { checkingDocuments, checkCredits, storedCredits, type RunContext } from './run-context.ts';
import type { Action, OutsideChange } from './steps.ts';

/** The requests of some simultaneous actions, and how each action starts. */
interface Started {
  readonly requests: ModelRequest[];
  /** The ids of the operations and claims, in the order of the actions. */
  readonly operationIds: string[];
}

type Act = () => Promise<[operationId: string, answer: unknown]>;

/**
 * Runs actions at the same time. Operations that need the campaign lock run one after the other in their sequence, so the
 * model can expect their results. With other actions among them, the order is unknown: then only the invariants are checked,
 * and the model is set to what the database has afterwards.
 */
export async function runAtOnce(context: RunContext, actions: readonly Action[]): Promise<void> {
  const { harness, campaignId, model } = context;
  const started: Started = { requests: [], operationIds: [] };
  const acts = actions.map((action) => actFor(context, action, started));
  const { requests } = started;
  const isInSequence = acts.length === requests.length && requests.every(isLockInput) && model.waiting.length === 0;
  if (isInSequence) {
    await checkingDocuments(context, async () => {
      const answers = new Map<string, unknown>();
      await Promise.all(acts.map(async (act) => answers.set(...(await act()))));
      return checkInSequence(context, requests, answers);
    });
    return checkCredits(context);
  }
  await Promise.all(acts.map((act) => act()));
  if (actions.some(isOutsideChange)) await harness.producer.poolRefilled(campaignId);
  await until('every claim that can be served to be served', () => adoptDatabase(context), SERVED_MS_MAX);
}

async function checkInSequence(
  context: RunContext,
  requests: readonly ModelRequest[],
  answers: ReadonlyMap<string, unknown>,
): Promise<RecordedMove[]> {
  const { harness, model } = context;
  const operations = await Promise.all(requests.map(({ operationId }) => rawOperation(harness, operationId)));
  const moves: RecordedMove[] = [];
  for (const { _id: operationId } of operations.sort((a, b) => a.sequence - b.sequence)) {
    const request = requests.find((each) => each.operationId === operationId) as ModelRequest;
    const expected = expectedResult(model, request);
    await checkOperation(context, request, expected, answers.get(operationId));
    model.apply(operationId, expected);
    moves.push(...recordedMoves(request, expected));
  }
  return moves;
}

/** Chooses the request of an action with the model as it is now. The returned function sends it. */
function actFor(context: RunContext, action: Action, { requests, operationIds }: Started): Act {
  const { harness, campaignId, model, outside } = context;
  const ids = { operationId: harness.newId('op'), campaignId };
  const { operationId } = ids;
  switch (action.does) {
    case 'reassign':
    case 'unassign':
    case 'reassign-one':
    case 'unassign-one':
    case 'undo': {
      const request = requestFor(model, action, ids);
      requests.push(request);
      operationIds.push(operationId);
      return async () => [operationId, await sendByBoth(context, (producer) => sendRequest(producer, request))];
    }
    case 'claim': {
      const input = claimFor(model, action, ids);
      operationIds.push(operationId);
      return async () => [operationId, await claimByBoth(context, input)];
    }
    case 'cancel': {
      const cancelled = operationIds.at(action.which % Math.max(1, operationIds.length));
      return async () => [operationId, cancelled !== undefined && (await cancelWhenRecorded(context, cancelled))];
    }
    case 'pause':
    case 'resume':
    case 'opt out':
    case 'opt in':
    case 'change status':
    case 'write':
    case 'move away and back':
    case 'import':
    case 'change rules':
    case 'close':
    case 'open':
      return async () => {
        await outside.change(action);
        return [operationId, null];
      };
  }
}

async function claimByBoth(context: RunContext, input: ClaimInput): Promise<unknown> {
  const { harness, otherProducer } = context;
  const { claims } = harness.context.stores;
  if (input.waitMs === undefined) return sendByBoth(context, (producer) => producer.selfAssign(input));
  await Promise.all([harness.producer, otherProducer].map((producer) => producer.selfAssign(input)));
  return until(`claim ${input.operationId} to be stored`, () => claims.find(input.operationId), SERVED_MS_MAX);
}

/** Sends a request with both producers, which must receive the same answer. */
async function sendByBoth(
  { harness, otherProducer }: RunContext,
  sendBy: (producer: Producer) => Promise<{ result: () => Promise<{ outcome: string; receipt: unknown }> }>,
): Promise<unknown> {
  const answers = [harness.producer, otherProducer].map(async (producer) =>
    resultOrCode((await sendBy(producer)).result()),
  );
  const [one, other] = (await Promise.all(answers)) as [{ outcome: string }, { outcome: string }];
  // An undo that was refused because its claim waited may be sent again, and the claim may have ended meanwhile.
  const isEarly = (answer: unknown): boolean => TOO_EARLY_CODES.some((code) => code === answer);
  if (isEarly(one) || isEarly(other)) return isEarly(one) ? other : one;
  if (typeof one === 'string') expect(other).toBe(one);
  else {
    expect([one.outcome, other.outcome].sort()).toEqual(['created', 'exists']);
    expect({ ...one, outcome: '' }).toEqual({ ...other, outcome: '' });
  }
  return one;
}

/** Sets the model to what the database has. Returns true when no waiting claim could be served now. */
async function adoptDatabase({ harness, campaignId, model }: RunContext): Promise<boolean> {
  const snapshot = await snapshotOf(harness, campaignId);
  const { campaign, texters, conversations, operations, claims } = snapshot;
  if (!campaign) throw new Error(`campaign ${campaignId} is not in the database`);
  model.rules = campaign.selfAssign;
  model.closed = campaign.closed;
  model.credits = storedCredits(await harness.context.stores.credits.list(campaignId));
  for (const { texterId, active } of texters) Object.assign(model.texter(texterId) ?? {}, { active });
  for (const doc of conversations.values()) model.conversations.set(doc._id.toHexString(), asModelConversation(doc));
  model.waiting = claims
    .filter(({ waiting }) => waiting)
    .sort((a, b) => (a.waiting?.sequence ?? 0) - (b.waiting?.sequence ?? 0))
    .map(asModelClaim);
  model.past = pastMovesIn(snapshot);
  for (const claim of claims) if (!claim.waiting) recordPast(model, asModelClaim(claim));
  model.cancelled = new Set([...operations, ...claims].flatMap(({ _id, state }) => (state === 'cancelled' ? _id : [])));
  return serveClaims(model.clone(), []).every(({ state, given }) => state === 'waiting' && given.length === 0);
}

const REQUESTS = ['reassign', 'unassign', 'reassign-one', 'unassign-one', 'undo', 'claim', 'cancel'];

function isOutsideChange(action: Action): action is OutsideChange {
  return !REQUESTS.includes(action.does);
}
