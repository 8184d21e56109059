import { checkedCountry, readWord, TexterWords, type Campaign, type Texter } from '../campaigns/index.ts';
import type { Context } from '../context.ts';
import { Refusal } from '../domain/errors.ts';
import { shown, foldedText } from '../domain/visible-text.ts';
import { AssigneeNames } from './assignee-names.ts';
import { didYouMean } from './did-you-mean.ts';
import { misused } from './errors.ts';
import type { Session } from './session.ts';
import { counted, moment } from './terminal.ts';

/** Ids shown when several records have the same name. */
export const SAME_NAME_SHOWN_MAX = 10;

/** A name in another case is looked for among so many campaigns, the newest first. */
const CAMPAIGNS_COMPARED_MAX = 1_000;

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
  session.withNames = (text) => names.inError(text);
  return { session, context, campaign, texters, names };
}

/** Receipts name the texters who were removed since, too. */
export async function namesOf({ stores: { texters } }: Context, campaignId: string): Promise<AssigneeNames> {
  const lists = await Promise.all([texters.list(campaignId), texters.listRemoved(campaignId)]);
  return new AssigneeNames(lists.flat());
}

/** Finds a campaign by its id or name. Refuses a word that matches several campaigns. */
export async function findCampaign({ stores: { campaigns } }: Context, typed: string): Promise<Campaign> {
  const { isId, isName, word } = readWord(typed);
  const byId = isId ? await campaigns.find(word) : undefined;
  const named = isName ? await campaigns.findByName(word, SAME_NAME_SHOWN_MAX) : [];
  const exact = [...(byId ? [byId] : []), ...named.filter(({ campaignId }) => campaignId !== byId?.campaignId)];
  const newest = exact.length === 0 ? await campaigns.list(CAMPAIGNS_COMPARED_MAX) : [];
  const isFolded = ({ name, campaignId }: Campaign): boolean =>
    (isName && foldedText(name) === foldedText(word)) || (isId && foldedText(campaignId) === foldedText(word));
  const found = exact.length > 0 ? exact : newest.filter(isFolded);
  const [campaign] = found;
  if (campaign && found.length === 1) return campaign;
  if (campaign) {
    throw ambiguous(
      'campaign',
      found.map((each) => campaignMatch(each, word)),
      typed,
    );
  }
  const words = newest.flatMap(({ name, campaignId }) => [name, campaignId]);
  throw new Refusal('unknown-campaign', {
    message: `no campaign has the id or the name ${shown(typed)}${didYouMean(word, words)}`,
    expected: 'the id or name of a campaign',
    received: shown(typed),
  });
}

function campaignMatch({ campaignId, closed, createdAt, texterCount }: Campaign, word: string): Match {
  const facts = `${closed ? 'closed' : 'open'}, created ${moment(createdAt)}, ${counted(texterCount, 'texter')}`;
  return { id: campaignId, by: byOf(campaignId, word), facts };
}

/** Finds a texter of the campaign by id or name. Refuses a word that matches several texters. */
export function findTexter({ campaign, texters }: TextersOf, typed: string): Texter {
  const found = new TexterWords(texters).find(typed);
  const [texter] = found;
  if (texter && found.length === 1) return texter;
  const { word } = readWord(typed);
  if (texter) {
    const matches = found.map(({ texterId, active, joinedOrder }) => ({
      ...{ id: texterId, by: byOf(texterId, word) },
      facts: `joined as number ${joinedOrder}${active ? '' : ', paused'}`,
    }));
    throw ambiguous('texter', matches, typed);
  }
  const words = texters.flatMap(({ name, texterId }) => [name, texterId]);
  throw new Refusal('unknown-texter', {
    message: `no texter of campaign ${campaign.campaignId} has the id or the name ${shown(typed)}${didYouMean(word, words)}`,
    expected: 'the id or name of a texter of the campaign',
    received: shown(typed),
  });
}

export type TextersOf = Pick<CampaignSession, 'campaign' | 'texters'>;

function byOf(id: string, word: string): string {
  return foldedText(id) === foldedText(word) ? 'id' : 'name';
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
  /** What tells the record from the others. */
  readonly facts?: string;
}

export function ambiguous(what: string, matches: readonly Match[], typed: string): Refusal {
  const listed = matches
    .slice(0, SAME_NAME_SHOWN_MAX)
    .map(({ id, by, facts }) => `${id} by its ${by}${facts === undefined ? '' : ` (${facts})`}`);
  const [first] = matches;
  return new Refusal('ambiguous-name', {
    message: `${shown(typed)} matches more than one ${what}: ${listed.join(', ')}; write id= and the id, such as id=${first?.id ?? ''}`,
    expected: `a word that matches one ${what}`,
    received: `a word that matches ${listed.join(', ')}`,
  });
}
