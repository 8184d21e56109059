import { checkedName, refuseReservedWord, type Campaign, type Texter, changeOf } from './campaign.ts';
import type { CampaignDeps } from './manage.ts';
import { recorded } from '../access/index.ts';
import { Refusal, unknownCampaign, unknownTexter } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';

/*
 * A removed texter or campaign stays in the database, so that receipts and histories keep their names, and its id is never
 * given again. No command or operation finds it any more, except a restore.
 */

/** Finds out whether conversations are assigned to a texter. */
export interface Assignees {
  readonly stores: {
    readonly conversations: {
      listAssignees(campaignId: string, among: readonly string[]): Promise<string[]>;
    };
  };
}

/** Gives a texter another name. Receipts and histories store the id, so they show the new name. Safe to repeat. */
export async function renameTexter(
  deps: CampaignDeps,
  campaignId: string,
  texterId: string,
  newName: string,
): Promise<Texter> {
  const name = checkedName(newName);
  refuseReservedWord(name);
  return recorded(deps, changeOf('texters-renamed', campaignId, [texterId]), async () =>
    knownTexter(await deps.stores.texters.rename(campaignId, texterId, name), texterId),
  );
}

/**
 * Removes a texter without conversations. Throws a `texter-has-conversations` refusal otherwise. The pause comes first and waits
 * for the transactions in progress, so nothing of Baton can give the texter a conversation after the check.
 */
export function removeTexter(deps: CampaignDeps & Assignees, campaignId: string, texterId: string): Promise<Texter> {
  const change = changeOf('texters-removed', campaignId, [texterId]);
  return recorded(deps, change, () => removeWithoutConversations(deps, campaignId, texterId));
}

async function removeWithoutConversations(
  deps: CampaignDeps & Assignees,
  campaignId: string,
  texterId: string,
): Promise<Texter> {
  const { stores, clock } = deps;
  const before = await stores.texters.find(campaignId, texterId);
  if (!before) throw unknownTexter(texterId);
  await refuseAssigned(deps, campaignId, texterId);
  await stores.texters.setActive(campaignId, texterId, false);
  try {
    await refuseAssigned(deps, campaignId, texterId);
  } catch (error) {
    if (before.active) await stores.texters.setActive(campaignId, texterId, true);
    throw error;
  }
  return knownTexter(await stores.texters.remove(campaignId, texterId, clock.now()), texterId);
}

async function refuseAssigned({ stores }: Assignees, campaignId: string, texterId: string): Promise<void> {
  const assigned = await stores.conversations.listAssignees(campaignId, [texterId]);
  if (assigned.length === 0) return;
  throw new Refusal('texter-has-conversations', {
    message: `texter ${shownId(texterId)} has conversations; move them first, with \`baton reassign\` or \`baton unassign\``,
    expected: 'a texter without conversations',
    received: 'a texter with conversations',
  });
}

/** Brings a removed texter back, paused. Throws an `unknown-texter` refusal when no such texter was removed. */
export function restoreTexter(deps: CampaignDeps, campaignId: string, texterId: string): Promise<Texter> {
  return recorded(deps, changeOf('texters-restored', campaignId, [texterId]), async () =>
    knownTexter(await deps.stores.texters.restore(campaignId, texterId), texterId),
  );
}

/** Gives a campaign another name. Safe to repeat. */
export async function renameCampaign(deps: CampaignDeps, campaignId: string, newName: string): Promise<Campaign> {
  const name = checkedName(newName);
  return recorded(deps, changeOf('campaign-renamed', campaignId), async () =>
    knownCampaign(await deps.stores.campaigns.rename(campaignId, name), campaignId),
  );
}

/**
 * Removes a closed campaign. Throws a `campaign-open` refusal for an open one, and `operation-running` while one of its
 * operations or claims has not ended. Its conversations and receipts stay in the database.
 */
export function removeCampaign(deps: CampaignDeps, campaignId: string): Promise<Campaign> {
  return recorded(deps, changeOf('campaign-removed', campaignId), async () => {
    const removal = await deps.stores.campaigns.remove(campaignId, deps.clock.now());
    if (!removal) throw unknownCampaign(campaignId);
    if (removal.isRemoved) return removal.campaign;
    throw removal.campaign.closed ? stillRunning(campaignId, removal.unfinished) : stillOpen(campaignId);
  });
}

/** Brings a removed campaign back, closed. Throws an `unknown-campaign` refusal when no such campaign was removed. */
export function restoreCampaign(deps: CampaignDeps, campaignId: string): Promise<Campaign> {
  return recorded(deps, changeOf('campaign-restored', campaignId), async () =>
    knownCampaign(await deps.stores.campaigns.restore(campaignId), campaignId),
  );
}

function stillOpen(campaignId: string): Refusal {
  return new Refusal('campaign-open', {
    message: `campaign ${shownId(campaignId)} is open; close it first, with \`baton campaign close\``,
    expected: 'a closed campaign',
    received: 'an open campaign',
  });
}

function stillRunning(campaignId: string, unfinished: number): Refusal {
  const operations = unfinished === 1 ? '1 operation has' : `${unfinished} operations have`;
  return new Refusal('operation-running', {
    message: `${operations} not ended on campaign ${shownId(campaignId)}; wait for them, or cancel them`,
    expected: 'a campaign without unfinished operations',
    received: `${unfinished} unfinished operations`,
  });
}

function knownTexter(texter: Texter | undefined, texterId: string): Texter {
  if (!texter) throw unknownTexter(texterId);
  return texter;
}

function knownCampaign(campaign: Campaign | undefined, campaignId: string): Campaign {
  if (!campaign) throw unknownCampaign(campaignId);
  return campaign;
}
