import { needsCampaignLock, type OperationRequest, parseRequest, preview, refuseEarly } from '../operations/index.ts';
import type { Campaign, Texter } from '../campaigns/index.ts';
import type { Context } from '../context.ts';
import { statusesOf } from '../domain/conversation.ts';
import { requestHash } from '../domain/request-hash.ts';
import { confirmCount } from './confirm.ts';
import { AssigneeNames } from './assignees.ts';
import { misused, waitMsOf } from './input.ts';
import { newId } from './new-id.ts';
import type { Answer } from './output.ts';
import { previewText } from './receipt.ts';
import { resolveCampaign } from './resolve.ts';
import { sendAndTell } from './send.ts';
import type { Session } from './session.ts';

export const DEFAULT_WAIT_S = '600';

/** The options that every operation takes, as typed. */
export interface OperationOptions {
  readonly id?: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly preview?: true;
  /** Seconds; `false` for `--no-wait`. */
  readonly wait: string | false;
}

/** Who a command speaks of, once its words are understood. */
export interface Scene {
  readonly session: Session;
  readonly context: Context;
  readonly campaign: Campaign;
  readonly texters: readonly Texter[];
  readonly names: AssigneeNames;
}

export async function sceneOf(session: Session, campaignWord: string): Promise<Scene> {
  const context = await session.context();
  const campaign = await resolveCampaign(context.stores.campaigns, campaignWord);
  const texters = await context.stores.texters.list(campaign.campaignId);
  return { session, context, campaign, texters, names: new AssigneeNames(texters) };
}

/** What is the same in each request. Words pass as they are: the request's schema evaluates them. */
export function askedOf({ campaign }: Scene, options: OperationOptions) {
  return {
    operationId: options.id ?? newId('op'),
    campaignId: campaign.campaignId,
    actorId: options.actor,
    reason: options.reason,
  };
}

/** Refuses, previews, confirms, sends: whichever of it a request calls for, in this order. */
export async function runOperation(scene: Scene, wanted: object, options: OperationOptions): Promise<Answer> {
  const { session, context, names } = scene;
  const waitMs = options.wait === false ? undefined : waitMsOf(options.wait);
  const request = parseRequest(wanted);
  if (options.preview) return previewOf(scene, request);
  const plan = await refuseEarly(context.stores, request, requestHash(request));
  const confirmed = plan ? await confirmedOf(scene, request, plan.sources) : request;
  return sendAndTell(session, confirmed, { waitMs, names, plan });
}

async function previewOf({ context, names }: Scene, request: OperationRequest): Promise<Answer> {
  if (!needsCampaignLock(request))
    throw misused('a preview without --conversation: a single one moves or is skipped', '--conversation');
  const found = await preview(context.stores, request);
  return { json: { campaignId: request.campaignId, ...found }, text: previewText(found, names) };
}

/** Unassigning all needs the number that its asker has seen. */
async function confirmedOf(
  { session, context, names }: Scene,
  request: OperationRequest,
  sources: readonly (string | null)[],
): Promise<OperationRequest> {
  if (request.kind !== 'unassign' || request.count !== undefined || request.confirm !== undefined) return request;
  const { from, status, campaignId } = request;
  const found = await context.stores.conversations.count(campaignId, sources, statusesOf(status));
  const whose = from === 'everyone' ? 'everyone' : sources.map((assignee) => names.of(assignee)).join(', ');
  const of = status === 'any' ? whose : `${whose} (${status})`;
  return { ...request, confirm: await confirmCount(session.terminal, found, of) };
}
