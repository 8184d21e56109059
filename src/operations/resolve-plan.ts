import type { Campaign, Texter } from '../campaigns/index.ts';
import type { AssigneeCount } from '../conversations/index.ts';
import { isStatus, STATUSES, statusesOf, type Assignee } from '../domain/conversation.ts';
import { creditsOf } from '../domain/credits.ts';
import { campaignClosed, Refusal, unknownCampaign, unknownOperation } from '../domain/errors.ts';
import { sumOf } from '../domain/receipt.ts';
import type { OneRequest, ReassignRequest, RequestOf, Sources, UndoRequest, UnassignRequest } from './contract.ts';
import type { Plan } from './operation.ts';
import type { Stores } from './ports.ts';
import { resolveSources, resolveTargets } from './sources-and-targets.ts';
import { findSurplus, type SurplusRequest } from './surplus.ts';
import { givesBackToTexters, refuseUnfinished, undoPlan } from './undo.ts';

const TO_THE_POOL = { targets: [null] as readonly Assignee[], loads: [0], spread: 'even' } as const;

export async function resolveReassign(stores: Stores, request: ReassignRequest): Promise<Plan> {
  const { campaignId, from, spread } = request;
  refuseClosed(await findCampaign(stores, campaignId));
  const texters = await stores.texters.list(campaignId);
  const targets = inOrderOfJoining(resolveTargets(request, texters)).map(({ texterId }) => texterId);
  const sources = await findSources(stores, campaignId, from, texters);
  const statuses = statusesOf(request.status);
  const credits = creditsOf(await stores.credits.list(campaignId), targets, statuses);
  const plan = { sources, targets, spread, statuses, limit: request.count ?? null, credits };
  if (targets.some((target) => sources.includes(target))) {
    return { ...plan, ...(await resolveSurplus(stores, campaignId, plan)) };
  }
  return { ...plan, loads: spread === 'level' ? await loadsOf(stores, campaignId, targets) : targets.map(() => 0) };
}

async function resolveSurplus(stores: Stores, campaignId: string, request: SurplusRequest) {
  const [all, fixed] = await Promise.all([
    stores.conversations.countByAssignee(campaignId),
    countFixed(stores, campaignId),
  ]);
  return findSurplus(request, { all, fixed });
}

/** Counts the conversations that no texter can act on. Two small indexes have them. */
async function countFixed(
  { conversations }: Stores,
  campaignId: string,
  assignees?: readonly Assignee[],
): Promise<AssigneeCount[]> {
  const [optedOut, incomplete] = await Promise.all([
    conversations.countOptedOut(campaignId, assignees),
    conversations.countWithoutOptOut(campaignId, assignees),
  ]);
  return [...optedOut, ...incomplete];
}

export async function resolveUnassign(stores: Stores, request: UnassignRequest): Promise<Plan> {
  await findCampaign(stores, request.campaignId);
  const texters = await stores.texters.list(request.campaignId);
  const sources = await findSources(stores, request.campaignId, request.from, texters);
  return {
    ...TO_THE_POOL,
    sources: sources.filter((assignee) => assignee !== null),
    statuses: statusesOf(request.status),
    limit: request.count ?? request.confirm ?? null,
  };
}

/**
 * Unassigning all needs a confirmation of the number of conversations. It is checked until the first batch is planned;
 * from then on the plan's limit keeps the operation from moving more.
 */
export async function checkConfirmation(stores: Stores, request: UnassignRequest, plan: Plan): Promise<void> {
  if (request.count !== undefined) return;
  if ((await stores.batches.recent(request.operationId, 1)).length > 0) return;
  const found = await countUnassignable(stores, request.campaignId, plan);
  if (request.confirm === undefined) {
    throw new Refusal('confirmation-needed', {
      message: `unassigning all needs a confirmation of ${found} conversations`,
      expected: `a confirmation of ${found}`,
      received: 'none',
    });
  }
  if (found > request.confirm) {
    throw new Refusal('confirmation-drifted', {
      message: `${request.confirm} conversations were confirmed, but ${found} would be unassigned now`,
      expected: `at most ${request.confirm}, as confirmed`,
      received: `${found}`,
    });
  }
}

/** An unassign also takes the conversations of contacts who opted out, but skips incomplete ones. */
async function countUnassignable(
  { conversations }: Stores,
  campaignId: string,
  { sources, statuses }: Plan,
): Promise<number> {
  const [all, incomplete] = await Promise.all([
    conversations.count(campaignId, sources, statuses),
    conversations.countWithoutOptOut(campaignId, sources),
  ]);
  return all - sumOf(incomplete.filter(({ status }) => statuses.includes(status)));
}

export async function resolveReassignOne(stores: Stores, request: RequestOf<'reassign-one'>): Promise<Plan> {
  const { campaign, texters, ...one } = await resolveOne(stores, request);
  refuseClosed(campaign);
  const targets = resolveTargets(request, texters).map(({ texterId }) => texterId);
  return { ...one, targets, loads: [0], spread: 'even' };
}

export async function resolveUnassignOne(stores: Stores, request: RequestOf<'unassign-one'>): Promise<Plan> {
  const { sources, statuses, limit } = await resolveOne(stores, request);
  return { ...TO_THE_POOL, sources, statuses, limit };
}

export async function resolveUndo(stores: Stores, request: UndoRequest): Promise<Plan> {
  const campaign = await findCampaign(stores, request.campaignId);
  const undone = await stores.operations.findOperationOrClaim(request.undoes);
  if (undone?.campaignId !== request.campaignId) throw unknownOperation(request.undoes, request.campaignId);
  refuseUnfinished(undone);
  if (givesBackToTexters(undone)) refuseClosed(campaign);
  return undoPlan(undone);
}

/** A person waits for the answer, so everything is read at the same time. */
async function resolveOne(stores: Stores, { campaignId, conversationId, expectedAssigneeId }: OneRequest) {
  const [campaign, found, texters] = await Promise.all([
    findCampaign(stores, campaignId),
    stores.conversations.findOne(campaignId, conversationId),
    stores.texters.list(campaignId),
  ]);
  if (!found) {
    throw new Refusal('unknown-conversation', {
      message: `conversation ${conversationId} does not exist on campaign ${campaignId}`,
      expected: 'a conversation of the campaign',
      received: conversationId,
    });
  }
  // An expected assignee who is not on the campaign is a mistake in the request, not a reason to skip.
  if (expectedAssigneeId) await findSources(stores, campaignId, { texterIds: [expectedAssigneeId] }, texters);
  const sources = [expectedAssigneeId === undefined ? found.assigneeId : expectedAssigneeId];
  return { campaign, texters, sources, statuses: STATUSES, limit: 1 };
}

/** Looks for assignees who are not on the campaign only when the request can mean them. */
async function findSources(
  { conversations }: Stores,
  campaignId: string,
  from: Sources,
  texters: readonly Texter[],
): Promise<Assignee[]> {
  if (from === 'pool') return resolveSources(from, texters, []);
  if (from === 'everyone') return resolveSources(from, texters, await conversations.listAssignees(campaignId));
  const known = new Set(texters.map(({ texterId }) => texterId));
  const unknown = from.texterIds.filter((id) => !known.has(id));
  const others = unknown.length > 0 ? await conversations.listAssignees(campaignId, unknown) : [];
  return resolveSources(from, texters, others);
}

function inOrderOfJoining(texters: readonly Texter[]): Texter[] {
  return [...texters].sort((a, b) => a.joinedOrder - b.joinedOrder);
}

async function findCampaign(stores: Stores, campaignId: string): Promise<Campaign> {
  const campaign = await stores.campaigns.find(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}

/** A closed campaign only lets conversations go back to the pool. */
function refuseClosed(campaign: Campaign): Campaign {
  if (!campaign.closed) return campaign;
  throw campaignClosed(campaign.campaignId);
}

/** Counts every status, but only the conversations that a texter can act on. */
async function loadsOf(stores: Stores, campaignId: string, targets: readonly string[]): Promise<number[]> {
  const fixed = (await countFixed(stores, campaignId, targets)).filter(({ status }) => isStatus(status));
  const idleOf = (target: string): number => sumOf(fixed.filter(({ assigneeId }) => assigneeId === target));
  return Promise.all(
    targets.map(async (target) => {
      const all = await stores.conversations.count(campaignId, [target], STATUSES);
      return Math.max(0, all - idleOf(target));
    }),
  );
}
