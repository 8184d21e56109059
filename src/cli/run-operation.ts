import { statusesOf, type Assignee } from '../domain/conversation.ts';
import { Refusal } from '../domain/errors.ts';
import { shown } from '../domain/visible-text.ts';
import { requestHash } from '../domain/requests.ts';
import { isOne, type OperationRequest, parseRequest, preview, refuseEarly } from '../operations/index.ts';
import { newId } from './arguments.ts';
import { misused } from './errors.ts';
import type { CampaignSession } from './lookup.ts';
import { actorOf, type OperationOptions } from './options.ts';
import { previewText } from './preview-text.ts';
import { sendOperation } from './send.ts';
import type { Session } from './session.ts';
import { counted, type Output } from './terminal.ts';

/** The fields that every request has. They are checked later, with the rest of the request. */
export function commonFields({ campaign, session }: CampaignSession, options: OperationOptions) {
  return {
    operationId: options.id ?? newId('op'),
    campaignId: campaign.campaignId,
    actorId: actorOf(session, options),
    reason: options.reason,
  };
}

/** Checks a request, then previews it, or asks for its confirmation and sends it. */
export async function runOperation(of: CampaignSession, fields: object, options: OperationOptions): Promise<Output> {
  const { session, context, names } = of;
  const request = parseRequest(fields);
  if (options.preview) return previewOf(of, request);
  const plan = await refuseEarly(context.stores, request, requestHash(request));
  const confirmed = plan ? await withConfirmation(of, request, plan.sources) : request;
  const waitMs = options.wait === false ? undefined : options.wait * 1_000;
  return sendOperation(session, confirmed, { waitMs, names, plan });
}

async function previewOf({ context, names }: CampaignSession, request: OperationRequest): Promise<Output> {
  if (isOne(request)) {
    const values = { expected: 'a request for several conversations', received: '--conversation' };
    throw misused('--preview cannot be used with --conversation', values);
  }
  const found = await preview(context.stores, request);
  return { json: { campaignId: request.campaignId, ...found }, text: previewText(found, names) };
}

/** A person must confirm the number when all conversations of a texter are unassigned, also by a count above their number. */
async function withConfirmation(
  { session, context, names }: CampaignSession,
  request: OperationRequest,
  sources: readonly Assignee[],
): Promise<OperationRequest> {
  if (request.kind !== 'unassign' || request.confirm !== undefined) return request;
  const { from, status, campaignId } = request;
  const found = await context.stores.conversations.count(campaignId, sources, statusesOf(status));
  if (request.count !== undefined && (found >= request.count || found === 0)) return request;
  const assignees = from === 'everyone' ? 'everyone' : names.list(sources);
  const source = status === 'any' ? assignees : `${assignees} (${status})`;
  return { ...request, confirm: await confirmCount(session, found, source) };
}

/** Asks for the number on a terminal. Without a terminal, the command line itself must confirm it. */
async function confirmCount(session: Session, count: number, source: string): Promise<number> {
  const { terminal } = session;
  const conversations = counted(count, 'conversation');
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY) {
    throw new Refusal('confirmation-needed', {
      message: `unassigning all ${conversations} must be confirmed with --confirm ${count}`,
      expected: `--confirm ${count}`,
      received: 'none',
    });
  }
  // The request is refused if there are more by then.
  if (count === 0) return 0;
  const typed = await session.ask(`Unassign all ${conversations} from ${source}? Type the number to confirm: `);
  if (typed === String(count)) return count;
  throw new Refusal('confirmation-needed', {
    message: `nothing was unassigned: only the number ${count} confirms it`,
    expected: String(count),
    received: typed === '' ? 'nothing' : shown(typed),
  });
}
