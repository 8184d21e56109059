import type { Campaign, CampaignStore, Texter } from '../campaigns/index.ts';
import type { ViewStore } from '../conversations/index.ts';
import { Refusal, shown } from '../domain/errors.ts';

/** Enough of those that share a name to tell them apart by their ids. */
const NAMESAKES_SHOWN_MAX = 10;

/** The campaign that a person means: by its id, or by its exact name when only one has it. */
export async function resolveCampaign(campaigns: CampaignStore, typed: string): Promise<Campaign> {
  const byId = await campaigns.find(typed);
  if (byId) return byId;
  const named = await campaigns.findByName(typed.trim(), NAMESAKES_SHOWN_MAX);
  const ids = named.map(({ campaignId }) => campaignId);
  const [campaign] = named;
  if (!campaign)
    throw new Refusal('unknown-campaign', { expected: 'the id or exact name of a campaign', received: shown(typed) });
  if (named.length > 1) throw ambiguous('campaign', ids);
  return campaign;
}

/** The texter that a person means, among a campaign's. */
export function resolveTexter(texters: readonly Texter[], typed: string): Texter {
  const byId = texters.find(({ texterId }) => texterId === typed);
  if (byId) return byId;
  const named = texters.filter(({ name }) => name === typed);
  const [texter] = named;
  if (!texter) {
    throw new Refusal('unknown-texter', {
      expected: 'the id or exact name of a texter of the campaign',
      received: shown(typed),
    });
  }
  if (named.length > 1)
    throw ambiguous(
      'texter',
      named.map(({ texterId }) => texterId),
    );
  return texter;
}

/** The id of the conversation that a person means: by its id, its external id, or its contact's exact name. */
export async function resolveConversation(views: ViewStore, campaignId: string, typed: string): Promise<string> {
  const ids = await views.findIdsByText(campaignId, typed, NAMESAKES_SHOWN_MAX);
  const [id] = ids;
  if (id === undefined) {
    const expected = 'the id, external id or contact of a conversation of the campaign';
    throw new Refusal('unknown-conversation', { expected, received: shown(typed) });
  }
  if (ids.length > 1) throw ambiguous('conversation', ids);
  return id;
}

function ambiguous(what: string, ids: readonly string[]): Refusal {
  const shownIds = ids.slice(0, NAMESAKES_SHOWN_MAX).join(', ');
  return new Refusal('ambiguous-name', {
    expected: `one ${what}, by its id`,
    received: `a name that these have: ${shownIds}`,
  });
}
