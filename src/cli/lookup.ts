import { checkedCountry, readWord, TexterWords, type Campaign, type Texter } from '../campaigns/index.ts';
import type { Context } from '../context.ts';
import type { ViewStore } from '../conversations/index.ts';
import { Refusal } from '../domain/errors.ts';
import { shown } from '../domain/shown.ts';
import { AssigneeNames } from './assignee-names.ts';
import { misused } from './errors.ts';
import type { Session } from './session.ts';

/** Ids shown when several records have the same name. */
const SAME_NAME_SHOWN_MAX = 10;

/** A session with the campaign that its command names. */
export interface CampaignSession {
  readonly session: Session;
  readonly context: Context;
  readonly campaign: Campaign;
  readonly texters: readonly Texter[];
  readonly names: AssigneeNames;
}

export async function openCampaign(session: Session, typed: string): Promise<CampaignSession> {
  const context = await session.context();
  const campaign = await findCampaign(context, typed);
  const { campaignId } = campaign;
  const [texters, names] = await Promise.all([context.stores.texters.list(campaignId), namesOf(context, campaignId)]);
  return { session, context, campaign, texters, names };
}

/** Receipts name the texters who were removed since, too. */
export async function namesOf({ stores: { texters } }: Context, campaignId: string): Promise<AssigneeNames> {
  const lists = await Promise.all([texters.list(campaignId), texters.listRemoved(campaignId)]);
  return new AssigneeNames(lists.flat());
}

/** Finds a campaign by its id or its exact name. Refuses a word that matches several campaigns. */
export async function findCampaign({ stores: { campaigns } }: Context, typed: string): Promise<Campaign> {
  const { isId, isName, word } = readWord(typed);
  const byId = isId ? await campaigns.find(word) : undefined;
  const named = isName ? await campaigns.findByName(word, SAME_NAME_SHOWN_MAX) : [];
  const found = [...(byId ? [byId] : []), ...named.filter(({ campaignId }) => campaignId !== byId?.campaignId)];
  const [campaign] = found;
  if (campaign && found.length === 1) return campaign;
  if (campaign) {
    const matches = found.map(({ campaignId }) => ({
      id: campaignId,
      by: campaignId === byId?.campaignId ? 'id' : 'name',
    }));
    throw ambiguous('campaign', matches, typed);
  }
  throw new Refusal('unknown-campaign', {
    message: `no campaign has the id or the name ${shown(typed)}`,
    expected: 'the id or exact name of a campaign',
    received: shown(typed),
  });
}

/** Finds a texter of the campaign by id or exact name. Refuses a word that matches several texters. */
export function findTexter({ campaign, texters }: TextersOf, typed: string): Texter {
  const found = new TexterWords(texters).find(typed);
  const [texter] = found;
  if (texter && found.length === 1) return texter;
  if (texter) {
    const matches = found.map(({ texterId }) => ({
      id: texterId,
      by: texterId === readWord(typed).word ? 'id' : 'name',
    }));
    throw ambiguous('texter', matches, typed);
  }
  throw new Refusal('unknown-texter', {
    message: `no texter of campaign ${campaign.campaignId} has the id or the name ${shown(typed)}`,
    expected: 'the id or exact name of a texter of the campaign',
    received: shown(typed),
  });
}

export type TextersOf = Pick<CampaignSession, 'campaign' | 'texters'>;

/**
 * Finds the id of a conversation by its id, its external id, or the exact name of its contact. Refuses a word that matches
 * several conversations.
 */
export async function findConversationId(views: ViewStore, campaignId: string, typed: string): Promise<string> {
  const { isId, isName, word } = readWord(typed);
  const all = await views.findByText(campaignId, [...new Set([word, typed])], SAME_NAME_SHOWN_MAX);
  const found = all.filter(({ by }) => (by === 'id' ? isId : isName));
  const [first] = found;
  const isOne = found.every(({ conversationId }) => conversationId === first?.conversationId);
  if (first && isOne) return first.conversationId;
  if (first) {
    const matches = found.map(({ conversationId, by }) => ({ id: conversationId, by }));
    throw ambiguous('conversation', matches, typed);
  }
  throw new Refusal('unknown-conversation', {
    message: `no conversation of campaign ${campaignId} has the id, the external id or the contact ${shown(typed)}`,
    expected: 'the id, external id or contact of a conversation of the campaign',
    received: shown(typed),
  });
}

/** Reads a phone number of the country of the campaign, or of another one. The refusal does not repeat the number. */
export async function phoneOf(campaign: Campaign, typed: string, country: string | undefined): Promise<string> {
  const { canonicalPhone, readPhone } = await import('../domain/phone.ts');
  const inCountry = country === undefined ? campaign.country : await checkedCountry(country);
  const phone = canonicalPhone(typed, inCountry);
  // An earlier version stored fixed lines, so this command accepts them.
  const reading = phone === undefined ? readPhone(typed, inCountry) : { phone };
  if ('phone' in reading) return reading.phone;
  const expected = 'a phone number, such as +12025550199';
  throw misused(`--phone cannot be read: ${reading.problem}`, { expected, received: reading.problem });
}

interface Match {
  readonly id: string;
  /** What the word is to this record: its id, its name … */
  readonly by: string;
}

function ambiguous(what: string, matches: readonly Match[], typed: string): Refusal {
  const listed = matches.slice(0, SAME_NAME_SHOWN_MAX).map(({ id, by }) => `${id} by its ${by}`);
  const [first] = matches;
  return new Refusal('ambiguous-name', {
    message: `${shown(typed)} matches more than one ${what}: ${listed.join(', ')}; write id= and the id, such as id=${first?.id ?? ''}`,
    expected: `a word that matches one ${what}`,
    received: `a word that matches ${listed.join(', ')}`,
  });
}
