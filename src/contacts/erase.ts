import type { EraseAnswer, PersonRequest } from './contract.ts';
import type { ContactStore, KnownContact, PersonInQueues } from './contact.ts';
import { unknownContact } from './opt-out.ts';
import { PersonText } from './person-text.ts';
import type { Campaign, CampaignStore } from '../campaigns/index.ts';
import { fingerprintOf, isErased } from '../domain/erased.ts';
import { unknownCampaign } from '../domain/errors.ts';

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
export async function erase(deps: EraseDeps, request: PersonRequest): Promise<EraseAnswer> {
  const { contacts, queues } = deps;
  const { campaignId } = request;
  const found = await findPerson(deps, request);
  const known = found.filter(({ phone }) => !isErased(phone));
  // First, so that no texter gets a conversation while the rest is done.
  await contacts.withdraw(campaignId, ids(known));
  const { text, numbers } = await textOf(deps, request, known);
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
  const { campaignId, conversationId, phone } = request;
  const campaign = await stores.campaigns.find(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  const found =
    phone === undefined
      ? await contacts.findById(campaignId, conversationId ?? '')
      : await contacts.findByPhone(campaignId, await spellingsOf(phone, campaign), fingerprintOf(campaignId, phone));
  if (found.length === 0) throw unknownContact(request);
  return found;
}

async function textOf(
  { stores }: Pick<EraseDeps, 'stores'>,
  { campaignId, phone }: PersonRequest,
  known: readonly KnownContact[],
): Promise<{ readonly text: PersonText; readonly numbers: readonly string[] }> {
  const campaign = await stores.campaigns.find(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  const stored = known.map((contact) => contact.phone);
  const spellings = [...stored, ...(phone === undefined ? [] : [phone])].map((each) => spellingsOf(each, campaign));
  const numbers = [...new Set((await Promise.all(spellings)).flat())];
  const { nationalNumber } = await import('../domain/phone.ts');
  const phones = [...numbers, ...numbers.flatMap((number) => nationalNumber(number, campaign.country) ?? [])];
  return { text: new PersonText({ names: known.map(({ name }) => name), phones }), numbers };
}

async function spellingsOf(phone: string, { country }: Campaign): Promise<readonly string[]> {
  const { storedSpellings } = await import('../domain/phone.ts');
  return storedSpellings(phone, country);
}

function ids(contacts: readonly KnownContact[]): string[] {
  return contacts.map(({ conversationId }) => conversationId);
}
