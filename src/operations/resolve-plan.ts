import type { Assignee } from '../domain/conversation.ts';
import { statusesOf, STATUSES } from '../domain/conversation.ts';
import { rotated } from '../domain/dealing.ts';
import { campaignClosed, Refusal, shown, unknownCampaign, unknownOperation } from '../domain/errors.ts';
import type { Plan } from './operation.ts';
import {
  resolveSources,
  resolveTargets,
  type OneRequest,
  type OperationRequest,
  type ReassignRequest,
  type UnassignRequest,
  type UndoRequest,
} from './request.ts';
import { givesBackToTexters, refuseUnfinished, undoPlan } from './undo-rules.ts';
import type { Stores } from './ports.ts';
import type { Campaign } from '../campaigns/index.ts';

/**
 * What a request comes to on its campaign as it is now: who from, who to and in which order.
 * Throws a `Refusal` for whatever is unknown, empty, paused or closed. Writes nothing.
 */
export async function resolvePlan(stores: Stores, request: OperationRequest): Promise<Plan> {
  switch (request.kind) {
    case 'reassign':
      return resolveReassign(stores, request, open(await findCampaign(stores, request.campaignId)));
    case 'unassign':
      await findCampaign(stores, request.campaignId);
      return resolveUnassign(stores, request);
    case 'reassign-one':
    case 'unassign-one':
      return resolveOne(stores, request);
    case 'undo':
      return resolveUndo(stores, request, await findCampaign(stores, request.campaignId));
  }
}

async function findCampaign(stores: Stores, campaignId: string): Promise<Campaign> {
  const campaign = await stores.campaigns.find(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}

/** Work may leave a closed campaign's texters, but not be given out any more. */
function open(campaign: Campaign): Campaign {
  if (!campaign.closed) return campaign;
  throw campaignClosed(campaign.campaignId);
}

async function resolveReassign(stores: Stores, request: ReassignRequest, campaign: Campaign): Promise<Plan> {
  const texters = await stores.texters.list(request.campaignId);
  const targets = rotated(resolveTargets(request, texters), campaign.nextJoinedOrder).map((seat) => seat.texterId);
  return {
    sources: resolveSources(request.from, texters),
    targets,
    loads: request.spread === 'level' ? await heldBy(stores, request.campaignId, targets) : targets.map(() => 0),
    spread: request.spread,
    statuses: statusesOf(request.status),
    limit: request.count ?? null,
  };
}

/** Everything that each target holds, in any status: levelling evens out the numbers that stand beside the names. */
async function heldBy(stores: Stores, campaignId: string, targets: readonly string[]): Promise<number[]> {
  return Promise.all(targets.map((target) => stores.conversations.count(campaignId, [target], STATUSES)));
}

async function resolveUnassign(stores: Stores, request: UnassignRequest): Promise<Plan> {
  const texters = await stores.texters.list(request.campaignId);
  const sources = resolveSources(request.from, texters).filter((assignee) => assignee !== null);
  return {
    ...toThePool,
    sources,
    statuses: statusesOf(request.status),
    limit: request.count ?? request.confirm ?? null,
  };
}

const toThePool = { targets: [null] as readonly Assignee[], loads: [0], spread: 'even' } as const;

/** Somebody waits for it in front of a screen: what it rests on is read at once. */
async function resolveOne(stores: Stores, request: OneRequest): Promise<Plan> {
  const [campaign, found, texters] = await Promise.all([
    findCampaign(stores, request.campaignId),
    stores.conversations.findOne(request.campaignId, request.conversationId),
    stores.texters.list(request.campaignId),
  ]);
  if (!found) {
    const expected = 'a conversation of the campaign';
    throw new Refusal('unknown-conversation', { expected, received: shown(request.conversationId) });
  }
  const sources = [request.expectedAssigneeId === undefined ? found.assigneeId : request.expectedAssigneeId];
  const one = { sources, statuses: STATUSES, limit: 1 };
  // Whoever expects a stranger to hold it has the wrong campaign, or the wrong id.
  if (request.expectedAssigneeId) resolveSources({ texterIds: [request.expectedAssigneeId] }, texters);
  if (request.kind === 'unassign-one') return { ...toThePool, ...one };
  open(campaign);
  const targets = resolveTargets(request, texters).map((texter) => texter.texterId);
  return { ...one, targets, loads: [0], spread: 'even' };
}

async function resolveUndo(stores: Stores, request: UndoRequest, campaign: Campaign): Promise<Plan> {
  const undone = await stores.operations.findRecorded(request.undoes);
  if (undone?.campaignId !== request.campaignId) throw unknownOperation(request.undoes);
  refuseUnfinished(undone);
  if (givesBackToTexters(undone)) open(campaign);
  return undoPlan(undone);
}
