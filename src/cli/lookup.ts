import { checkedCountry, type Campaign, type Texter } from '../campaigns/index.ts';
import type { Context } from '../context.ts';
import type { ViewStore } from '../conversations/index.ts';
import type { Assignee } from '../domain/conversation.ts';
import { Refusal, shown } from '../domain/errors.ts';
import type { Sources, Targets } from '../operations/index.ts';
import { misused } from './errors.ts';
import type { Session } from './session.ts';
import { plain } from './terminal.ts';

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
  const texters = await listTexters(context, campaign.campaignId);
  return { session, context, campaign, texters, names: new AssigneeNames(texters) };
}

export function listTexters({ stores }: Context, campaignId: string): Promise<Texter[]> {
  return stores.texters.list(campaignId);
}

/** Finds a campaign by its id, or by its exact name if only one campaign has it. */
export async function findCampaign({ stores: { campaigns } }: Context, typed: string): Promise<Campaign> {
  const byId = await campaigns.find(typed);
  if (byId) return byId;
  const named = await campaigns.findByName(typed.trim(), SAME_NAME_SHOWN_MAX);
  const [campaign] = named;
  if (campaign && named.length === 1) return campaign;
  if (campaign) throw ambiguousName('campaign', ids(named, 'campaignId'), typed);
  throw new Refusal('unknown-campaign', {
    message: `no campaign has the id or the name ${shown(typed)}`,
    expected: 'the id or exact name of a campaign',
    received: shown(typed),
  });
}

/** Finds a texter of the campaign by id, or by exact name if only one texter has it. */
export function findTexter({ campaign, texters }: TextersOf, typed: string): Texter {
  const byId = texters.find(({ texterId }) => texterId === typed);
  if (byId) return byId;
  const named = texters.filter(({ name }) => name === typed);
  const [texter] = named;
  if (texter && named.length === 1) return texter;
  if (texter) throw ambiguousName('texter', ids(named, 'texterId'), typed);
  throw new Refusal('unknown-texter', {
    message: `no texter of campaign ${campaign.campaignId} has the id or the name ${shown(typed)}`,
    expected: 'the id or exact name of a texter of the campaign',
    received: shown(typed),
  });
}

type TextersOf = Pick<CampaignSession, 'campaign' | 'texters'>;

/** Finds the id of a conversation by its id, its external id, or the exact name of its contact. */
export async function findConversationId(views: ViewStore, campaignId: string, typed: string): Promise<string> {
  const found = await views.findIdsByText(campaignId, typed, SAME_NAME_SHOWN_MAX);
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  if (id !== undefined) throw ambiguousName('conversation', found, typed);
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

function ids<Key extends string>(records: readonly Readonly<Record<Key, string>>[], key: Key): string[] {
  return records.map((record) => record[key]);
}

function ambiguousName(what: string, found: readonly string[], typed: string): Refusal {
  const listed = found.slice(0, SAME_NAME_SHOWN_MAX).join(', ');
  return new Refusal('ambiguous-name', {
    message: `more than one ${what} is called ${shown(typed)}: use one of the ids ${listed}`,
    expected: `the id of one ${what}`,
    received: `a name that these have: ${listed}`,
  });
}

/** Reads `pool`, `everyone`, or a list of texters by id or name. */
export function sourcesOf(typed: string, of: TextersOf): Sources {
  return typed === 'pool' || typed === 'everyone' ? typed : { texterIds: texterIdsOf(typed, of) };
}

/** Reads `everyone`, or a list of texters by id or name. */
export function targetsOf(typed: string, of: TextersOf): Targets {
  return typed === 'everyone' ? typed : { texterIds: texterIdsOf(typed, of) };
}

/** Reads `pool`, or one texter by id or name. */
export function assigneeOf(typed: string, of: TextersOf): Assignee {
  return typed === 'pool' ? null : findTexter(of, typed).texterId;
}

/** Lists the assignees that {@link sourcesOf} reads. `everyone` stands for all texters and the pool. */
export function assigneesOf(typed: string, of: TextersOf): Assignee[] {
  const sources = sourcesOf(typed, of);
  if (sources === 'pool') return [null];
  return sources === 'everyone' ? [null, ...ids(of.texters, 'texterId')] : [...new Set(sources.texterIds)];
}

/** Returns an empty list for an empty text. The callers refuse it, each in its own words. */
function texterIdsOf(typed: string, of: TextersOf): string[] {
  if (typed.trim() === '') return [];
  const words = typed.split(',').map((word) => word.trim());
  return words.map((word) => {
    if (word === '') {
      const expected = 'texters with one comma between them';
      throw misused(`there is an empty name in ${shown(typed)}`, { expected, received: shown(typed) });
    }
    if (word === 'pool' || word === 'everyone') {
      const expected = `"${word}" alone, or a list of texters`;
      throw misused(`"${word}" cannot be combined with texters`, { expected, received: shown(typed) });
    }
    return findTexter(of, word).texterId;
  });
}

/** Names of assignees for people. */
export class AssigneeNames {
  private readonly names: ReadonlyMap<string, string>;

  constructor(texters: readonly Texter[]) {
    this.names = new Map(texters.map(({ texterId, name }) => [texterId, plain(name)]));
  }

  of(assigneeId: Assignee): string {
    return assigneeId === null ? 'pool' : (this.names.get(assigneeId) ?? assigneeId);
  }

  list(assigneeIds: readonly Assignee[]): string {
    return assigneeIds.map((assigneeId) => this.of(assigneeId)).join(', ');
  }
}
