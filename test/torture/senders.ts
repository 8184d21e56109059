import { sendRequest } from '../../src/producer/send-many.ts';
import type { Answer, SeededCampaign } from '../support/audit/records.ts';
import type { Harness } from '../support/harness.ts';
import type { Random } from '../support/random.ts';
import type { AnyRequest } from '../support/any-request.ts';

/** A request that can be sent several times under the same operation id. */
export interface TortureRequest {
  /** The id of the operation that it creates or cancels. */
  readonly operationId: string;
  readonly cancels?: true;
  readonly send: () => Promise<{ result(wait: { waitMs: number }): Promise<Exclude<Answer, { code: string }>> }>;
}

/** The ids of the operations and claims that were sent to a campaign so far. */
export interface SentIds {
  readonly unanswered: readonly string[];
  readonly answered: readonly string[];
}

/** Sends random requests of one kind, one after the other. A new kind of request needs a new sender. */
export interface Sender {
  readonly kind: 'bulk' | 'single' | 'claim' | 'undo' | 'cancel';
  readonly next: () => TortureRequest;
  /** The pause after each answer, in milliseconds. */
  readonly pauseMs: number;
}

/** Pauses that leave most operations enough time to end and to stay. */
const CANCEL_PAUSE_MS = 600;
const UNDO_PAUSE_MS = 200;
/** Undos choose among this many operations. The conversations of older ones have all moved again. */
const RECENT = 12;

export function createSenders(
  harness: Harness,
  campaign: SeededCampaign,
  random: Random,
  sentIds: () => SentIds,
): readonly Sender[] {
  const asRequest = (request: AnyRequest): TortureRequest => {
    return { operationId: request.operationId, send: () => sendRequest(harness.producer, request) };
  };
  return [
    { kind: 'bulk', pauseMs: 0, next: () => asRequest(bulk(harness, campaign, random)) },
    { kind: 'single', pauseMs: 0, next: () => asRequest(single(harness, campaign, random)) },
    { kind: 'claim', pauseMs: 0, next: () => claim(harness, campaign, random) },
    { kind: 'undo', pauseMs: UNDO_PAUSE_MS, next: () => asRequest(undo(harness, campaign, random, sentIds())) },
    { kind: 'cancel', pauseMs: CANCEL_PAUSE_MS, next: () => cancel(harness, campaign, random, sentIds()) },
  ];
}

function bulk(harness: Harness, { campaignId, texterIds }: SeededCampaign, random: Random): AnyRequest {
  const operationId = harness.newId('op');
  const status = random.pick(['any', 'any', 'not-started', 'needs-reply'] as const);
  const fields = { operationId, campaignId, status };
  const some = { texterIds: random.some(texterIds, random.between(1, texterIds.length)) };
  const count = random.between(1, 300);
  const spread = random.pick(['even', 'level'] as const);
  return random.pick<AnyRequest>([
    { kind: 'reassign', ...fields, from: 'everyone', to: 'everyone', count, spread },
    { kind: 'reassign', ...fields, from: 'pool', to: 'everyone', count, spread },
    { kind: 'reassign', ...fields, from: 'everyone', to: some },
    { kind: 'reassign', ...fields, from: some, to: 'everyone', spread },
    { kind: 'unassign', ...fields, from: some, count, confirm: count },
    { kind: 'unassign', ...fields, from: 'everyone', count, confirm: count },
    { kind: 'unassign', ...fields, from: some, confirm: random.between(50, 5_000) },
  ]);
}

function single(harness: Harness, { campaignId, texterIds, assignees }: SeededCampaign, random: Random): AnyRequest {
  const fields = { operationId: harness.newId('op'), campaignId, conversationId: random.pick([...assignees.keys()]) };
  const expected = random.chance(0.2) ? { expectedAssigneeId: random.pick([null, ...texterIds]) } : {};
  if (random.chance(0.4)) return { kind: 'unassign-one', ...fields, ...expected };
  return { kind: 'reassign-one', ...fields, ...expected, to: { texterIds: [random.pick(texterIds)] } };
}

function claim(harness: Harness, { campaignId, texterIds }: SeededCampaign, random: Random): TortureRequest {
  const input = {
    operationId: harness.newId('cl'),
    campaignId,
    texterId: random.pick(texterIds),
    ...(random.chance(0.8) && { count: random.between(1, 15) }),
    ...(random.chance(0.3) && { waitMs: random.between(500, 6_000) }),
  };
  return { operationId: input.operationId, send: () => harness.producer.selfAssign(input) };
}

/** Undoes a recent operation or undo, and sometimes one that has not been answered, which may be refused. */
function undo(harness: Harness, { campaignId }: SeededCampaign, random: Random, sentIds: SentIds): AnyRequest {
  const recent = sentIds.answered.slice(-RECENT);
  const isTooEarly = recent.length === 0 || (sentIds.unanswered.length > 0 && random.chance(0.1));
  const undoes = random.pick(isTooEarly ? sentIds.unanswered : recent);
  return { kind: 'undo', operationId: harness.newId('un'), campaignId, undoes };
}

/** Cancels any operation or claim without an answer. It may have ended when the request arrives. */
function cancel(harness: Harness, { campaignId }: SeededCampaign, random: Random, sentIds: SentIds): TortureRequest {
  const operationId = random.pick(sentIds.unanswered.length > 0 ? sentIds.unanswered : sentIds.answered);
  const result = ({ waitMs }: { waitMs: number }) => harness.producer.cancel({ operationId, campaignId }, { waitMs });
  return { operationId, cancels: true, send: () => Promise.resolve({ result }) };
}
