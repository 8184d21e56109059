import type { EraseAnswer, PersonRequest } from './contract.ts';
import type { ContactStore, KnownContact, PersonInQueues } from './contact.ts';
import { spellingsOf, unknownContact } from './opt-out.ts';
import { PersonText } from './person-text.ts';
import { findCampaign, type Campaign, type CampaignStore } from '../campaigns/index.ts';
import { fingerprintOf, isErased } from '../domain/erased.ts';

export interface EraseDeps {
  readonly stores: { readonly campaigns: CampaignStore };
  readonly contacts: ContactStore;
  readonly queues: PersonInQueues;
}

/**
 * Erases a person from a campaign: name, phone number and external id are removed from their conversations, from reasons and
 * errors of operations, and from the queues. The conversations stay with their moves, closed and opted out for ever, so
 * counts and receipts stay true and no texter gets them. No import of the campaign brings the number back. Safe to repeat.
 * Throws an `unknown-campaign` or `unknown-conversation` refusal.
 */
export async function erase({ stores, contacts, queues }: EraseDeps, request: PersonRequest): Promise<EraseAnswer> {
  const { campaignId } = request;
  const campaign = await findCampaign(stores, campaignId);
  const found = await findIn(campaign, contacts, request);
  const known = found.filter(({ phone }) => !isErased(phone));
  // First, so that no texter gets a conversation while the rest is done.
  await contacts.withdraw(campaignId, ids(known));
  const { text, numbers } = await textOf(campaign, request, known);
  await contacts.eraseFromOperations(campaignId, text);
  await queues.erase({ campaignId, numbers, text, conversationId: found[0]?.conversationId ?? '' });
  // Last: a call that is repeated after a crash still finds the name and the number here.
  await contacts.erase(campaignId, known);
  return { campaignId, conversationIds: ids(found), changed: known.length };
}

/** Returns what {@link erase} would erase. Changes nothing. Throws the same refusals. */
export async function findPerson(
  { stores, contacts }: Pick<EraseDeps, 'stores' | 'contacts'>,
  request: PersonRequest,
): Promise<readonly KnownContact[]> {
  return findIn(await findCampaign(stores, request.campaignId), contacts, request);
}

async function findIn(
  campaign: Campaign,
  contacts: ContactStore,
  request: PersonRequest,
): Promise<readonly KnownContact[]> {
  const { campaignId, conversationId, phone } = request;
  const found =
    phone === undefined
      ? await contacts.findById(campaignId, conversationId ?? '')
      : await contacts.findByPhone(campaignId, await spellingsOf(phone, campaign), fingerprintOf(campaignId, phone));
  if (found.length === 0) throw unknownContact(request);
  return found;
}

async function textOf(
  campaign: Campaign,
  { phone }: PersonRequest,
  known: readonly KnownContact[],
): Promise<{ readonly text: PersonText; readonly numbers: readonly string[] }> {
  const stored = known.map((contact) => contact.phone);
  const spellings = [...stored, ...(phone === undefined ? [] : [phone])].map((each) => spellingsOf(each, campaign));
  const numbers = [...new Set((await Promise.all(spellings)).flat())];
  const { nationalNumber } = await import('../domain/phone.ts');
  const phones = [...numbers, ...numbers.flatMap((number) => nationalNumber(number, campaign.country) ?? [])];
  return { text: new PersonText({ names: known.map(({ name }) => name), phones }), numbers };
}

function ids(contacts: readonly KnownContact[]): string[] {
  return contacts.map(({ conversationId }) => conversationId);
}
