import type { Answer } from '../support/audit.ts';
import type { SeededCampaign } from '../support/audit-history.ts';
import type { Harness } from '../support/harness.ts';
import type { Random } from '../support/random.ts';
import { send, type AnyRequest } from '../support/send.ts';

/** Something asked for under an id; sending it again is asking for the same. */
export interface Ask {
  /** Of what is asked for, or of what is to stop. */
  readonly id: string;
  /** That what has this id be stopped. */
  readonly stops?: true;
  readonly send: () => Promise<{ result(wait: { waitMs: number }): Promise<Exclude<Answer, { code: string }>> }>;
}

/** The ids of what has been asked for on a campaign so far. */
export interface Past {
  readonly inAir: readonly string[];
  readonly answered: readonly string[];
}

/** One way of asking. A new kind of request is one more of these. */
export interface Asker {
  readonly kind: 'bulk' | 'single' | 'claim' | 'undo' | 'cancel';
  readonly next: () => Ask;
  /** From an answer to the next request, in milliseconds. */
  readonly restMs: number;
}

/** Nothing would ever get done if everything were stopped, or taken back, at once. */
const CANCEL_REST_MS = 600;
const UNDO_REST_MS = 200;

export function askers(harness: Harness, campaign: SeededCampaign, random: Random, past: () => Past): readonly Asker[] {
  const { producer } = harness;
  const asOperation = (request: AnyRequest): Ask => {
    return { id: request.operationId, send: () => send(producer, request) };
  };
  return [
    { kind: 'bulk', restMs: 0, next: () => asOperation(bulk(harness, campaign, random)) },
    { kind: 'single', restMs: 0, next: () => asOperation(single(harness, campaign, random)) },
    { kind: 'claim', restMs: 0, next: () => claim(harness, campaign, random) },
    { kind: 'undo', restMs: UNDO_REST_MS, next: () => asOperation(undo(harness, campaign, random, past())) },
    { kind: 'cancel', restMs: CANCEL_REST_MS, next: () => cancel(harness, campaign, random, past()) },
  ];
}

function bulk(harness: Harness, { campaignId, texterIds }: SeededCampaign, random: Random): AnyRequest {
  const operationId = harness.newId('op');
  const asked = { operationId, campaignId, status: random.pick(['any', 'any', 'not-started', 'needs-reply'] as const) };
  const some = { texterIds: random.some(texterIds, random.between(1, texterIds.length)) };
  const count = random.between(1, 300);
  const spread = random.pick(['even', 'level'] as const);
  return random.pick<AnyRequest>([
    { kind: 'reassign', ...asked, from: 'everyone', to: 'everyone', count, spread },
    { kind: 'reassign', ...asked, from: 'pool', to: 'everyone', count, spread },
    { kind: 'reassign', ...asked, from: 'everyone', to: some },
    { kind: 'reassign', ...asked, from: some, to: 'everyone', spread },
    { kind: 'unassign', ...asked, from: some, count },
    { kind: 'unassign', ...asked, from: 'everyone', count },
    { kind: 'unassign', ...asked, from: some, confirm: random.between(50, 5_000) },
  ]);
}

function single(harness: Harness, { campaignId, texterIds, assignees }: SeededCampaign, random: Random): AnyRequest {
  const one = { operationId: harness.newId('op'), campaignId, conversationId: random.pick([...assignees.keys()]) };
  const expected = random.chance(0.2) ? { expectedAssigneeId: random.pick([null, ...texterIds]) } : {};
  if (random.chance(0.4)) return { kind: 'unassign-one', ...one, ...expected };
  return { kind: 'reassign-one', ...one, ...expected, to: { texterIds: [random.pick(texterIds)] } };
}

function claim(harness: Harness, { campaignId, texterIds }: SeededCampaign, random: Random): Ask {
  const input = {
    operationId: harness.newId('cl'),
    campaignId,
    texterId: random.pick(texterIds),
    ...(random.chance(0.8) && { count: random.between(1, 15) }),
    ...(random.chance(0.3) && { waitMs: random.between(500, 6_000) }),
  };
  return { id: input.operationId, send: () => harness.producer.selfAssign(input) };
}

/** Old ones are of no use here: others have moved all of it since. */
const RECENT = 12;

/** Mostly of what has ended not long ago, be it an undo; now and then of what goes on, which is refused. */
function undo(harness: Harness, { campaignId }: SeededCampaign, random: Random, past: Past): AnyRequest {
  const recent = past.answered.slice(-RECENT);
  const isTooEarly = recent.length === 0 || (past.inAir.length > 0 && random.chance(0.1));
  const undoes = random.pick(isTooEarly ? past.inAir : recent);
  return { kind: 'undo', operationId: harness.newId('un'), campaignId, undoes };
}

/** Of what is in the air, whatever it is; by the time that it is heard, that may have ended. */
function cancel(harness: Harness, { campaignId }: SeededCampaign, random: Random, past: Past): Ask {
  const id = random.pick(past.inAir.length > 0 ? past.inAir : past.answered);
  const result = ({ waitMs }: { waitMs: number }) =>
    harness.producer.cancel({ operationId: id, campaignId }, { waitMs });
  return { id, stops: true, send: () => Promise.resolve({ result }) };
}
