import type { OptOutAnswer, PersonRequest } from './contract.ts';
import type { ContactStore } from './contact.ts';
import { findCampaign, type Campaign, type CampaignStore } from '../campaigns/index.ts';
import { isErased } from '../domain/erased.ts';
import { Refusal } from '../domain/errors.ts';
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
export async function optOut(deps: OptOutDeps, request: PersonRequest): Promise<OptOutAnswer> {
  return setOptedOut(deps, request, true);
}

/** Lifts the opt-out of a person. Only this call does. Safe to repeat; throws the refusals of {@link optOut}. */
export async function liftOptOut(deps: OptOutDeps, request: PersonRequest): Promise<OptOutAnswer> {
  return setOptedOut(deps, request, false);
}

async function setOptedOut(
  { stores, contacts }: OptOutDeps,
  request: PersonRequest,
  optedOut: boolean,
): Promise<OptOutAnswer> {
  const { campaignId } = request;
  const campaign = await findCampaign(stores, campaignId);
  const chosen = await choose(contacts, request, campaign);
  if (chosen.phones.some(isErased)) return answerForErased(request, optedOut);
  const { conversationIds, changed } = await contacts.setOptedOut(campaignId, chosen, optedOut);
  if (conversationIds.length === 0) throw unknownContact(request);
  return { campaignId, conversationIds, optedOut, changed };
}

/** Chooses the conversation that the request names, which may have no phone number, and all others of its number. */
async function choose(
  contacts: ContactStore,
  { campaignId, conversationId, phone }: PersonRequest,
  campaign: Campaign,
) {
  const found = conversationId === undefined ? [] : await contacts.findById(campaignId, conversationId);
  const numbers = [...(phone === undefined ? [] : [phone]), ...found.map((contact) => contact.phone)];
  const spellings = numbers.filter((number) => number !== '').map((number) => spellingsOf(number, campaign));
  return {
    phones: [...new Set((await Promise.all(spellings)).flat())],
    conversationIds: found.map((contact) => contact.conversationId),
  };
}

/** Returns the forms in which the conversations of a phone number may be stored. */
export async function spellingsOf(phone: string, { country }: Campaign): Promise<readonly string[]> {
  const { storedSpellings } = await import('../domain/phone.ts');
  return storedSpellings(phone, country);
}

/** An erased person stays opted out. */
function answerForErased({ campaignId, conversationId = '' }: PersonRequest, optedOut: boolean): OptOutAnswer {
  if (optedOut) return { campaignId, conversationIds: [conversationId], optedOut, changed: 0 };
  throw new Refusal('contact-erased', {
    message: `the contact of conversation ${shownId(conversationId)} was erased and stays opted out`,
    expected: 'a conversation whose contact was not erased',
    received: shownId(conversationId),
  });
}

export function unknownContact({ campaignId, conversationId }: PersonRequest): Refusal {
  const of = conversationId === undefined ? 'this phone number' : `the id ${shownId(conversationId)}`;
  return new Refusal('unknown-conversation', {
    message: `no conversation of campaign ${shownId(campaignId)} has ${of}`,
    expected: 'the phone number or the id of a conversation of the campaign',
    received: conversationId === undefined ? 'a phone number that no conversation has' : shownId(conversationId),
  });
}
