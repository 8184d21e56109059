import type { Queue } from 'bullmq';
import type { Campaign, Texter } from '../campaigns/index.ts';
import type { Scope } from '../access/index.ts';
import type { Context } from '../context.ts';
import type { ConversationWithHistory } from '../conversations/index.ts';
import { conversationId as conversationIdRule, outsideId } from '../domain/ids.ts';
import { toStoredId } from '../domain/organisations.ts';
import { HttpProblem, notFound } from './problem.ts';
import type { AnyOperation } from '../operations/index.ts';
import { findSentIn, type SentOperation } from '../reconcile/index.ts';

/** A resource in the path of a route. Each belongs to the one before it, and a campaign belongs to the organisation. */
export type ResourceName = 'campaign' | 'texter' | 'operation' | 'conversation';

/** Who may use a route, and which resources it needs. Every route declares it. */
export type Access =
  | { readonly for: 'anyone' }
  | { readonly for: 'key'; readonly scope: Scope; readonly chain: readonly ResourceName[] }
  /** The token names the campaign and the texter, so no part of the path does. */
  | { readonly for: 'texter'; readonly chain?: readonly 'operation'[] };

/** The resources of a request, as the hook has loaded them. */
export interface Resources {
  readonly campaign?: Campaign;
  readonly texter?: Texter;
  /** An operation that a worker has accepted, or one that is still in the queue. */
  readonly operation?: AnyOperation | SentOperation;
  readonly conversation?: ConversationWithHistory;
}

export interface ResourceDeps {
  readonly context: Context;
  /** The queues in which operations wait until a worker accepts them. */
  readonly sentQueues: readonly Queue[];
}

type Params = Readonly<Record<string, string | undefined>>;

const PLAIN_ID = outsideId('a resource');

/** Loads the chain of resources of a route. Throws the same problem for a resource that another organisation owns. */
export async function loadChain(
  deps: ResourceDeps,
  organisationId: string,
  chain: readonly ResourceName[],
  params: Params,
  known: Resources = {},
): Promise<Resources> {
  let resources = known;
  for (const name of chain) {
    const id = params[`${name}Id`] ?? '';
    const rule = name === 'conversation' ? conversationIdRule : PLAIN_ID;
    if (!rule.safeParse(id).success) throw notFound(name);
    const found = await LOAD[name](deps, id, { organisationId, resources });
    if (found === undefined) throw notFound(name);
    resources = { ...resources, [name]: found };
  }
  return resources;
}

interface Loaded {
  readonly organisationId: string;
  readonly resources: Resources;
}

const LOAD: Readonly<Record<ResourceName, (deps: ResourceDeps, id: string, loaded: Loaded) => Promise<unknown>>> = {
  campaign: ({ context }, id, { organisationId }) => context.stores.campaigns.find(toStoredId(organisationId, id)),
  texter: ({ context }, id, { resources }) => context.stores.texters.find(campaignIdOf(resources), id),
  operation: async ({ context, sentQueues }, id, { organisationId, resources }) => {
    const campaignId = campaignIdOf(resources);
    const operationId = toStoredId(organisationId, id);
    const found =
      (await context.operationViews.findOperation(operationId)) ?? (await findSentIn(sentQueues, operationId));
    return found?.campaignId === campaignId ? found : undefined;
  },
  conversation: ({ context }, id, { resources }) => context.views.findWithHistory(campaignIdOf(resources), id),
};

function campaignIdOf({ campaign }: Resources): string {
  return required(campaign).campaignId;
}

/** Returns a resource that the route has declared. */
export function required<Resource>(resource: Resource | undefined): Resource {
  if (resource !== undefined) return resource;
  const details = { expected: 'a declared resource', received: 'a resource that the route does not declare' };
  throw new HttpProblem('internal-error', {
    message: 'the route uses a resource that it does not declare',
    ...details,
  });
}
