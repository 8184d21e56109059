import { recorded, type ChangeEnd } from '../access/index.ts';
import { Refusal, unknownTexter } from '../domain/errors.ts';
import { checkedName, refuseReservedWord, type Texter, changeOf } from './campaign.ts';
import type { CampaignDeps } from './manage.ts';
import type { NewTexter } from './ports.ts';
import { removeTexter, type Assignees } from './remove.ts';

export interface TexterRequest {
  readonly campaignId: string;
  readonly texterId: string;
  readonly name: string;
}

/** Puts a texter on a campaign, last in the order of joining. Throws a `texter-exists` refusal when the id is taken. */
export async function addTexter(deps: CampaignDeps, request: TexterRequest): Promise<Texter> {
  const texter = newTexter(deps, request);
  const change = changeOf('texters-added', request.campaignId, [request.texterId]);
  return recorded(deps, change, () => deps.stores.texters.insert(texter));
}

/** What became of a texter in a list. The refusal changed nothing; the others of the list are not affected by it. */
export type TexterOutcome =
  { readonly texterId: string; readonly texter: Texter } | { readonly texterId: string; readonly refusal: Refusal };

/** Puts several texters on a campaign, in the order of the list. One with a bad name, or who is on it already, is refused alone. */
export function addTexters(
  deps: CampaignDeps,
  campaignId: string,
  list: readonly Omit<TexterRequest, 'campaignId'>[],
): Promise<TexterOutcome[]> {
  const ids = list.map(({ texterId }) => texterId);
  const add = (): Promise<TexterOutcome[]> =>
    each(list, (texter) => deps.stores.texters.insert(newTexter(deps, { ...texter, campaignId })));
  return recorded(deps, changeOf('texters-added', campaignId, ids), add, endOfList);
}

/** Pauses a texter or ends the pause. After a pause, the texter is given nothing more. Safe to repeat. */
export function setActive(deps: CampaignDeps, campaignId: string, texterId: string, active: boolean): Promise<Texter> {
  return recorded(deps, changeOf(active ? 'texters-resumed' : 'texters-paused', campaignId, [texterId]), () =>
    setActiveOf(deps, campaignId, texterId, active),
  );
}

/** Does the same for several texters. */
export function setEachActive(
  deps: CampaignDeps,
  campaignId: string,
  texterIds: readonly string[],
  active: boolean,
): Promise<TexterOutcome[]> {
  const change = changeOf(active ? 'texters-resumed' : 'texters-paused', campaignId, texterIds);
  const set = (): Promise<TexterOutcome[]> =>
    each(texterIds.map(byId), ({ texterId }) => setActiveOf(deps, campaignId, texterId, active));
  return recorded(deps, change, set, endOfList);
}

/** Removes several texters; one who has conversations is refused alone. */
export function removeTexters(
  deps: CampaignDeps & Assignees,
  campaignId: string,
  texterIds: readonly string[],
): Promise<TexterOutcome[]> {
  return each(texterIds.map(byId), ({ texterId }) => removeTexter(deps, campaignId, texterId));
}

/** Revokes all tokens of a texter. Returns the version of new tokens. Throws an `unknown-texter` refusal. */
export function revokeTokens(deps: CampaignDeps, campaignId: string, texterId: string): Promise<number> {
  return recorded(deps, changeOf('tokens-revoked', campaignId, [texterId]), async () => {
    const tokenVersion = await deps.stores.texters.revokeTokens(campaignId, texterId);
    if (tokenVersion === undefined) throw unknownTexter(texterId);
    return tokenVersion;
  });
}

function newTexter({ clock }: CampaignDeps, request: TexterRequest): NewTexter {
  const name = checkedName(request.name);
  refuseReservedWord(name);
  refuseReservedWord(request.texterId);
  return { ...request, name, createdAt: clock.now() };
}

async function setActiveOf(
  { stores }: CampaignDeps,
  campaignId: string,
  texterId: string,
  active: boolean,
): Promise<Texter> {
  const texter = await stores.texters.setActive(campaignId, texterId, active);
  if (!texter) throw unknownTexter(texterId);
  return texter;
}

interface Listed {
  readonly texterId: string;
}

const byId = (texterId: string): Listed => ({ texterId });

/** One after the other: the order of joining is the order of the list. */
async function each<Item extends Listed>(
  list: readonly Item[],
  change: (item: Item) => Promise<Texter>,
): Promise<TexterOutcome[]> {
  const outcomes: TexterOutcome[] = [];
  for (const item of list) {
    const { texterId } = item;
    try {
      outcomes.push({ texterId, texter: await change(item) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      outcomes.push({ texterId, refusal: error });
    }
  }
  return outcomes;
}

/** For the record: which texters of a list did change, or why the first one did not when none did. */
function endOfList(outcomes: readonly TexterOutcome[]): ChangeEnd {
  const refusals = outcomes.flatMap((outcome) => ('refusal' in outcome ? [outcome.refusal] : []));
  const [first] = refusals;
  if (!first) return { outcome: 'done' };
  if (refusals.length === outcomes.length) return { outcome: first.code };
  const changed = outcomes.filter((outcome) => 'texter' in outcome);
  return { outcome: 'partly', subjectIds: changed.map(({ texterId }) => texterId) };
}
