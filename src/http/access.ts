import type { Queue } from 'bullmq';
import type { Campaign, Texter } from '../campaigns/index.ts';
import type { Scope } from '../access/index.ts';
import type { Context } from '../context.ts';
import type { ConversationWithHistory } from '../conversations/index.ts';
import { conversationId as conversationIdRule, outsideId } from '../domain/ids.ts';
import { toStoredId } from '../domain/id-rules.ts';
import { HttpProblem, notFound } from './problem.ts';
import type { AnyOperation } from '../operations/index.ts';
import { findSentIn, type SentOperation } from '../reconcile/index.ts';
import { GroupedReads } from './grouped-reads.ts';

/** A resource in the path of a route. Each belongs to the one before it, and a campaign belongs to the organisation. */
export type ResourceName = 'campaign' | 'texter' | 'operation' | 'conversation';

/** Who may use a route, and which resources it needs. Every route declares it. */
export type Access =
  | { readonly for: 'anyone' }
  | {
      readonly for: 'key';
      readonly scope: Scope;
      readonly chain: readonly ResourceName[];
      /** The route sends an operation under the Idempotency-Key of the request. */
      readonly sends?: true;
    }
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

/** The reads of resources that nearly every request needs. */
export interface ResourceReads {
  readonly campaigns: Pick<GroupedReads<Campaign>, 'find'>;
  readonly operations: Pick<GroupedReads<AnyOperation>, 'find'>;
}

export function resourceReads({ stores, operationViews }: Context): ResourceReads {
  return {
    campaigns: new GroupedReads(
      (ids) => stores.campaigns.findAll(ids),
      ({ campaignId }) => campaignId,
    ),
    operations: new GroupedReads(
      (ids) => operationViews.findOperations(ids),
      ({ operationId }) => operationId,
    ),
  };
}

export interface ResourceDeps {
  readonly context: Context;
  readonly reads: ResourceReads;
  /** The queues in which operations wait until a worker accepts them. */
  readonly sentQueues: readonly Queue[];
}

type Params = Readonly<Record<string, string | undefined>>;

const PLAIN_ID = outsideId('a resource');

/**
 * Loads the chain of resources of a route, all at once: the path has the ids of all. Throws the same problem for a resource
 * that another organisation or campaign has as for one that does not exist.
 */
export async function loadChain(
  deps: ResourceDeps,
  organisationId: string,
  chain: readonly ResourceName[],
  params: Params,
  known: Resources = {},
): Promise<Resources> {
  const campaignId = known.campaign?.campaignId ?? toStoredId(organisationId, params['campaignId'] ?? '');
  const load = async (name: ResourceName): Promise<unknown> => {
    const id = params[`${name}Id`] ?? '';
    const rule = name === 'conversation' ? conversationIdRule : PLAIN_ID;
    return rule.safeParse(id).success ? LOAD[name](deps, id, { organisationId, campaignId }) : undefined;
  };
  const found = await Promise.all(chain.map(load));
  const missing = chain.find((_, at) => found[at] === undefined);
  if (missing !== undefined) throw notFound(missing);
  return { ...known, ...Object.fromEntries(chain.map((name, at) => [name, found[at]])) };
}

interface Owner {
  readonly organisationId: string;
  /** The id under which the campaign is stored. */
  readonly campaignId: string;
}

const LOAD: Readonly<Record<ResourceName, (deps: ResourceDeps, id: string, owner: Owner) => Promise<unknown>>> = {
  campaign: ({ reads }, _, { campaignId }) => reads.campaigns.find(campaignId),
  texter: ({ context }, id, { campaignId }) => context.stores.texters.find(campaignId, id),
  operation: async (deps, id, { organisationId, campaignId }) => {
    const found = await findOperation(deps, toStoredId(organisationId, id));
    return found?.campaignId === campaignId ? found : undefined;
  },
  conversation: ({ context }, id, { campaignId }) => context.views.findWithHistory(campaignId, id),
};

/** Finds an operation or claim in the database, or in the queue while no worker has accepted it. */
export async function findOperation(
  { reads: { operations }, sentQueues }: ResourceDeps,
  operationId: string,
): Promise<AnyOperation | SentOperation | undefined> {
  const accepted = await operations.find(operationId);
  if (accepted) return accepted;
  // A worker may have accepted and ended it between the two reads. Then it is no longer in the queue.
  return (await findSentIn(sentQueues, operationId)) ?? (await operations.find(operationId));
}

/** What the database and the queues have under the operation id of a request. Most ids are new, and in neither place. */
export interface Earlier {
  readonly accepted: AnyOperation | undefined;
  readonly sent: SentOperation | undefined;
}

export async function findEarlier({ reads, sentQueues }: ResourceDeps, operationId: string): Promise<Earlier> {
  const [accepted, sent] = await Promise.all([reads.operations.find(operationId), findSentIn(sentQueues, operationId)]);
  return { accepted, sent };
}

/** What {@link findEarlier} found, and when it began. */
export interface BegunEarlier {
  readonly found: Promise<Earlier>;
  /** By `performance.now()`. */
  readonly begunAt: number;
}

/** Begins {@link findEarlier} while the chain is loaded. The key is not checked yet, so a bad one gives `null`. */
export function beginEarlier(deps: ResourceDeps, organisationId: string, key: unknown): BegunEarlier | null {
  const { success, data } = PLAIN_ID.safeParse(key);
  if (!success) return null;
  const found = findEarlier(deps, toStoredId(organisationId, data));
  // The request may be refused before anybody waits for it.
  found.catch(() => undefined);
  return { found, begunAt: performance.now() };
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
