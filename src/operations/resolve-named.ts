import { findCampaign, type Campaign, type Texter } from '../campaigns/index.ts';
import { STATUSES } from '../domain/conversation.ts';
import { Refusal } from '../domain/errors.ts';
import type { ListRequest, OneRequest, RequestOf, Targets } from './contract.ts';
import { limitsOf } from './limits.ts';
import type { Plan } from './operation.ts';
import type { Stores } from './ports.ts';
import { findSources, refuseClosed, TO_THE_POOL } from './resolve-plan.ts';
import { resolveTargets } from './sources-and-targets.ts';

export async function resolveReassignOne(stores: Stores, request: RequestOf<'reassign-one'>): Promise<Plan> {
  const { campaign, texters, ...one } = await resolveOne(stores, request);
  return { ...one, ...toTexter(campaign, texters, request) };
}

export async function resolveUnassignOne(stores: Stores, request: RequestOf<'unassign-one'>): Promise<Plan> {
  const { sources, statuses, limit } = await resolveOne(stores, request);
  return { ...TO_THE_POOL, sources, statuses, limit };
}

export async function resolveReassignList(stores: Stores, request: RequestOf<'reassign-list'>): Promise<Plan> {
  const { campaign, texters, ...list } = await resolveList(stores, request);
  return { ...list, ...toTexter(campaign, texters, request) };
}

export async function resolveUnassignList(stores: Stores, request: RequestOf<'unassign-list'>): Promise<Plan> {
  const { sources, statuses, limit } = await resolveList(stores, request);
  return { ...TO_THE_POOL, sources, statuses, limit };
}

function toTexter(campaign: Campaign, texters: readonly Texter[], request: { readonly to: Targets }) {
  refuseClosed(campaign);
  const targets = resolveTargets(request, texters, false).targets.map(({ texterId }) => texterId);
  return { targets, loads: [0], spread: 'even', ...limitsOf(campaign.selfAssign) } as const;
}

/** The texters that a request for one conversation names. */
export function textersOf(request: OneRequest): string[] {
  return [...targetsOf(request), ...(request.expectedAssigneeId ? [request.expectedAssigneeId] : [])];
}

export function targetsOf(request: OneRequest): readonly string[] {
  return request.kind === 'reassign-one' ? request.to.texterIds : [];
}

/** A person waits for the answer, so everything is read at the same time. */
async function resolveOne(stores: Stores, request: OneRequest) {
  const { campaignId, conversationId, expectedAssigneeId } = request;
  const [campaign, found, texters] = await Promise.all([
    findCampaign(stores, campaignId),
    stores.conversations.findOne(campaignId, conversationId),
    stores.texters.findMany(campaignId, textersOf(request)),
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

/** A conversation that does not exist is skipped, so that one mistake does not keep the others from moving. */
async function resolveList(stores: Stores, { campaignId, conversations }: ListRequest) {
  const ids = conversations.map(({ conversationId }) => conversationId);
  const [campaign, found, texters] = await Promise.all([
    findCampaign(stores, campaignId),
    stores.conversations.findMany(campaignId, ids),
    stores.texters.list(campaignId),
  ]);
  const sources = [...new Set(found.map(({ assigneeId }) => assigneeId))];
  return { campaign, texters, sources, statuses: STATUSES, limit: conversations.length };
}
