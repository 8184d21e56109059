import { type Campaign, readWord } from '../campaigns/index.ts';
import type { TextMatch, ViewStore } from '../conversations/index.ts';
import { Refusal } from '../domain/errors.ts';
import { shown } from '../domain/visible-text.ts';
import { ambiguous, SAME_NAME_SHOWN_MAX } from './lookup.ts';
import { moment } from './terminal.ts';

/** Digits with the punctuation of phone numbers. A shorter one would match by accident. */
const PHONE = /^\+?[\d\s().\u00a0/-]{7,25}$/;
const DIGITS_MIN = 7;
const ID_OR_CONTACT = 'the id, the external id, the contact or the phone number';

/**
 * Finds the id of a conversation by its id, its external id, the name of its contact or the phone number, as people write it.
 * Refuses a word that matches several conversations.
 */
export async function findConversationId(views: ViewStore, campaign: Campaign, typed: string): Promise<string> {
  const { campaignId } = campaign;
  const found = await findMatches(views, campaign, typed);
  const ids = [...new Set(found.map(({ conversationId }) => conversationId))];
  const [first] = ids;
  if (first !== undefined && ids.length === 1) return first;
  if (first !== undefined) throw await ambiguousConversation(views, campaignId, found, typed);
  // Errors must not repeat a phone number. Digits can be an external id too.
  const isPhone = PHONE.test(typed.trim());
  const what = isPhone ? 'these digits as its id, external id or phone number' : `${ID_OR_CONTACT} ${shown(typed)}`;
  throw new Refusal('unknown-conversation', {
    message: `no conversation of campaign ${campaignId} has ${what}`,
    expected: 'the id, external id, contact or phone number of a conversation of the campaign',
    received: isPhone ? 'this phone number' : shown(typed),
  });
}

async function findMatches(views: ViewStore, campaign: Campaign, typed: string): Promise<TextMatch[]> {
  const { campaignId } = campaign;
  const { isId, isName, word } = readWord(typed);
  const all = await views.findByText(campaignId, [...new Set([word, typed])], SAME_NAME_SHOWN_MAX);
  const exact = all.filter(({ by }) => (by === 'id' ? isId : isName));
  if (exact.length > 0) return exact;
  const byPhone = await findByPhone(views, campaign, typed);
  if (byPhone.length > 0 || !isName) return byPhone;
  return views.findByNameInAnyCase(campaignId, word, SAME_NAME_SHOWN_MAX);
}

/** Without a country, a number without its country code is compared with the ends of the stored numbers. */
async function findByPhone(views: ViewStore, { campaignId, country }: Campaign, typed: string): Promise<TextMatch[]> {
  const digits = typed.replace(/\D/g, '').replace(/^0+/, '');
  if (!PHONE.test(typed.trim()) || digits.length < DIGITS_MIN) return [];
  const { canonicalPhone } = await import('../domain/phone.ts');
  const phone = canonicalPhone(typed, country) ?? `+${digits}`;
  const found = await views.findByPhone(campaignId, phone, SAME_NAME_SHOWN_MAX);
  return found.length > 0 ? found : views.findByLastDigits(campaignId, digits, SAME_NAME_SHOWN_MAX);
}

/** Tells the candidates apart by what is no personal data. */
async function ambiguousConversation(
  views: ViewStore,
  campaignId: string,
  found: readonly TextMatch[],
  typed: string,
): Promise<Refusal> {
  const ids = [...new Set(found.map(({ conversationId }) => conversationId))].slice(0, SAME_NAME_SHOWN_MAX);
  const records = new Map((await views.findByIds(campaignId, ids)).map((each) => [each.conversationId, each]));
  const matches = found.map(({ conversationId, by }) => {
    const { status, assigneeId, waitingSince } = records.get(conversationId) ?? {};
    const facts = `${status ?? 'unknown'}, ${assigneeId ?? 'pool'}, waiting since ${moment(waitingSince ?? null)}`;
    return { id: conversationId, by, facts };
  });
  return ambiguous('conversation', matches, PHONE.test(typed.trim()) ? 'the phone number' : typed);
}
