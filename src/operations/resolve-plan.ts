import { findCampaign, type Campaign, type Texter } from '../campaigns/index.ts';
import type { ConversationCounts, AssigneeCount } from '../conversations/index.ts';
import { isStatus, STATUSES, statusesOf, type Assignee } from '../domain/conversation.ts';
import { creditsOf } from '../domain/credits.ts';
import { sumsByAssignee } from './moves.ts';
import { campaignClosed, unknownOperation } from '../domain/errors.ts';
import { hasCounts, type ReassignRequest, type Sources, type UndoRequest, type UnassignRequest } from './contract.ts';
import { limitsOf } from './limits.ts';
import type { Plan } from './operation.ts';
import type { Stores } from './ports.ts';
import { resolveSources, resolveTargets } from './sources-and-targets.ts';
import { findSurplus, type SurplusRequest } from './surplus.ts';
import { givesBackToTexters, refuseUnfinished, undoPlan } from './undo.ts';

export const TO_THE_POOL = { targets: [null] as readonly Assignee[], loads: [0], spread: 'even' } as const;

export async function resolveReassign(stores: Stores, request: ReassignRequest, isAccepted: boolean): Promise<Plan> {
  const { campaignId, from, to, spread } = request;
  const [campaign, texters, stored] = await Promise.all([
    findCampaign(stores, campaignId).then(refuseClosed),
    stores.texters.list(campaignId),
    stores.credits.list(campaignId),
  ]);
  const { targets: found, leftOut } = resolveTargets(request, texters, isAccepted);
  const targets = inOrderOfJoining(found).map(({ texterId }) => texterId);
  const sources = await findSources(stores, campaignId, from, texters);
  const statuses = statusesOf(request.status);
  const common = {
    targets,
    spread,
    statuses,
    ...limitsOf(campaign.selfAssign),
    ...(leftOut.length > 0 && { leftOut }),
  };
  if (hasCounts(to)) return { ...common, ...numbersOf(to.counts, targets, sources) };
  const credits = creditsOf(stored, targets, statuses);
  const plan = { ...common, sources, limit: request.count ?? null, credits };
  const isSource = new Set(sources);
  if (targets.some((target) => isSource.has(target))) {
    return { ...plan, ...(await resolveSurplus(stores, campaignId, plan)) };
  }
  return { ...plan, loads: spread === 'level' ? await loadsOf(stores, campaignId, targets) : targets.map(() => 0) };
}

export async function refuseReassign(stores: Stores, request: ReassignRequest): Promise<void> {
  const { campaignId, from } = request;
  const [, texters] = await Promise.all([
    findCampaign(stores, campaignId).then(refuseClosed),
    stores.texters.list(campaignId),
  ]);
  resolveTargets(request, texters, true);
  await refuseSources(stores, campaignId, from, texters);
}

/** A target that is unknown or paused already is a mistake in the request. One that is paused later is left out. */
export async function refuseTargets(stores: Stores, request: ReassignRequest): Promise<void> {
  if (request.to === 'everyone') return;
  await findCampaign(stores, request.campaignId);
  resolveTargets(request, await stores.texters.list(request.campaignId), false);
}

/** With a number for each target, `everyone` as the source stands for the pool and all other texters. */
function numbersOf(
  counts: Readonly<Record<string, number>>,
  targets: readonly string[],
  sources: readonly Assignee[],
): Pick<Plan, 'sources' | 'loads' | 'numbers' | 'limit'> {
  const numbers = targets.map((target) => counts[target] ?? 0);
  const isTarget = new Set<Assignee>(targets);
  const others = sources.filter((source) => !isTarget.has(source));
  return { sources: others, loads: targets.map(() => 0), numbers, limit: numbers.reduce((sum, each) => sum + each, 0) };
}

async function resolveSurplus(stores: Stores, campaignId: string, request: SurplusRequest) {
  const counts = await stores.conversations.atOneMoment(async (moment) => ({
    all: await moment.countByAssignee(campaignId),
    fixed: await countFixed(moment, campaignId),
  }));
  return findSurplus(request, counts);
}

/** Counts the conversations that no texter can act on. Two small indexes have them. */
async function countFixed(
  moment: ConversationCounts,
  campaignId: string,
  assignees?: readonly Assignee[],
): Promise<AssigneeCount[]> {
  const optedOut = await moment.countOptedOut(campaignId, assignees);
  return [...optedOut, ...(await moment.countWithoutOptOut(campaignId, assignees))];
}

export async function resolveUnassign(stores: Stores, request: UnassignRequest): Promise<Plan> {
  const [, texters] = await Promise.all([
    findCampaign(stores, request.campaignId),
    stores.texters.list(request.campaignId),
  ]);
  const sources = await findSources(stores, request.campaignId, request.from, texters);
  return {
    ...TO_THE_POOL,
    sources: sources.filter((assignee) => assignee !== null),
    statuses: statusesOf(request.status),
    limit: least(request.count, request.confirm),
  };
}

export async function refuseUnassign(stores: Stores, { campaignId, from }: UnassignRequest): Promise<void> {
  const [, texters] = await Promise.all([findCampaign(stores, campaignId), stores.texters.list(campaignId)]);
  await refuseSources(stores, campaignId, from, texters);
}

export async function resolveUndo(stores: Stores, request: UndoRequest): Promise<Plan> {
  const campaign = await findCampaign(stores, request.campaignId);
  const undone = await stores.operations.findOperationOrClaim(request.undoes);
  if (undone?.campaignId !== request.campaignId) throw unknownOperation(request.undoes, request.campaignId);
  refuseUnfinished(undone);
  if (givesBackToTexters(undone)) refuseClosed(campaign);
  return undoPlan(undone);
}

function least(...limits: readonly (number | undefined)[]): number | null {
  const given = limits.filter((limit) => limit !== undefined);
  return given.length > 0 ? Math.min(...given) : null;
}

/** Only a named source can be unknown. */
async function refuseSources(
  stores: Stores,
  campaignId: string,
  from: Sources,
  texters: readonly Texter[],
): Promise<void> {
  if (from !== 'everyone') await findSources(stores, campaignId, from, texters);
}

/** Looks for assignees who are not on the campaign only when the request can mean them. */
export async function findSources(
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

/** A closed campaign only lets conversations go back to the pool. */
export function refuseClosed(campaign: Campaign): Campaign {
  if (!campaign.closed) return campaign;
  throw campaignClosed(campaign.campaignId);
}

/** Counts every status, but only the conversations that a texter can act on. */
async function loadsOf({ conversations }: Stores, campaignId: string, targets: readonly string[]): Promise<number[]> {
  return conversations.atOneMoment(async (moment) => {
    const fixed = (await countFixed(moment, campaignId, targets)).filter(({ status }) => isStatus(status));
    const all = await moment.countByAssignee(campaignId, { assignees: targets, statuses: STATUSES });
    const [counted, idle] = [sumsByAssignee(all), sumsByAssignee(fixed)];
    return targets.map((target) => Math.max(0, (counted.get(target) ?? 0) - (idle.get(target) ?? 0)));
  });
}
