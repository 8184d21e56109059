import type { OptOutAnswer, OptOutRequest } from './contract.ts';
import type { ContactStore } from './contact.ts';
import type { Campaign, CampaignStore } from '../campaigns/index.ts';
import { Refusal, unknownCampaign } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';

export interface OptOutDeps {
  readonly stores: { readonly campaigns: CampaignStore };
  readonly contacts: ContactStore;
}

/**
 * Opts a person out of a campaign: their conversations are given to no texter any more, and no import lifts it. They stay
 * with their assignee until they are unassigned. Safe to repeat. Throws an `unknown-campaign` or `unknown-conversation`
 * refusal.
 */
export async function optOut(deps: OptOutDeps, request: OptOutRequest): Promise<OptOutAnswer> {
  return setOptedOut(deps, request, true);
}

/** Lifts the opt-out of a person. Only this call does. Safe to repeat; throws the refusals of {@link optOut}. */
export async function liftOptOut(deps: OptOutDeps, request: OptOutRequest): Promise<OptOutAnswer> {
  return setOptedOut(deps, request, false);
}

async function setOptedOut(
  { stores, contacts }: OptOutDeps,
  request: OptOutRequest,
  optedOut: boolean,
): Promise<OptOutAnswer> {
  const { campaignId } = request;
  const campaign = await stores.campaigns.find(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  const phone = await phoneOf(contacts, request);
  const phones = phone === undefined ? [] : await spellingsOf(phone, campaign);
  const { conversationIds, changed } = await contacts.setOptedOut(campaignId, phones, optedOut);
  if (conversationIds.length === 0) throw unknownContact(request);
  return { campaignId, conversationIds, optedOut, changed };
}

async function phoneOf(contacts: ContactStore, request: OptOutRequest): Promise<string | undefined> {
  const { campaignId, conversationId } = request;
  return conversationId === undefined ? request.phone : contacts.findPhone(campaignId, conversationId);
}

async function spellingsOf(phone: string, { country }: Campaign): Promise<readonly string[]> {
  const { storedSpellings } = await import('../domain/phone.ts');
  return storedSpellings(phone, country);
}

function unknownContact({ campaignId, conversationId }: OptOutRequest): Refusal {
  const of = conversationId === undefined ? 'this phone number' : `the id ${shownId(conversationId)}`;
  return new Refusal('unknown-conversation', {
    message: `no conversation of campaign ${shownId(campaignId)} has ${of}`,
    expected: 'the phone number or the id of a conversation of the campaign',
    received: conversationId === undefined ? 'a phone number that no conversation has' : shownId(conversationId),
  });
}
