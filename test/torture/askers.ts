import type { Answer } from '../support/audit.ts';
import type { SeededCampaign } from '../support/audit-trails.ts';
import type { Harness } from '../support/harness.ts';
import type { Random } from '../support/random.ts';
import { send, type AnyRequest } from '../support/send.ts';

/** Something asked for under an id; sending it again is asking for the same. */
export interface Ask {
  readonly id: string;
  readonly send: () => Promise<{ result(wait: { waitMs: number }): Promise<Exclude<Answer, { code: string }>> }>;
}

/** One way of asking. A new kind of request is one more of these. */
export interface Asker {
  readonly kind: 'bulk' | 'single' | 'claim';
  readonly next: () => Ask;
}

export function askers(harness: Harness, campaign: SeededCampaign, random: Random): readonly Asker[] {
  const { producer } = harness;
  const asOperation = (request: AnyRequest): Ask => {
    return { id: request.operationId, send: () => send(producer, request) };
  };
  return [
    { kind: 'bulk', next: () => asOperation(bulk(harness, campaign, random)) },
    { kind: 'single', next: () => asOperation(single(harness, campaign, random)) },
    { kind: 'claim', next: () => claim(harness, campaign, random) },
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

function single(harness: Harness, { campaignId, texterIds, holders }: SeededCampaign, random: Random): AnyRequest {
  const one = { operationId: harness.newId('op'), campaignId, conversationId: random.pick([...holders.keys()]) };
  const expected = random.chance(0.2) ? { expectedHolderId: random.pick([null, ...texterIds]) } : {};
  if (random.chance(0.4)) return { kind: 'unassign-one', ...one, ...expected };
  return { kind: 'reassign-one', ...one, ...expected, to: { texterIds: [random.pick(texterIds)] } };
}

function claim(harness: Harness, { campaignId, texterIds }: SeededCampaign, random: Random): Ask {
  const input = {
    claimId: harness.newId('cl'),
    campaignId,
    texterId: random.pick(texterIds),
    ...(random.chance(0.8) && { count: random.between(1, 15) }),
    ...(random.chance(0.3) && { waitMs: random.between(500, 6_000) }),
  };
  return { id: input.claimId, send: () => harness.producer.selfAssign(input) };
}
