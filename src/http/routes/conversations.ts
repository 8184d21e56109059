import { z } from 'zod';
import { viewConversations, viewSenders, type SendersView } from '../../conversations/index.ts';
import { VISIBLE_STATUSES } from '../../domain/conversation.ts';
import { conversationId, texterId } from '../../domain/ids.ts';
import { toOutsideId } from '../../domain/id-rules.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { answer, problems } from '../document.ts';
import { next, pageAfter, viewPlace } from '../paging.ts';
import type { CountedView, HttpServices } from '../services.ts';
import { isNotBefore } from '../shared-answers.ts';
import { oncePerAnswer } from '../shared-bodies.ts';
import { campaignParams, instant, load, sender, status } from '../shapes.ts';

const count = z.int();
const countedAt = z.iso.datetime().describe('The moment for which the answer holds. It can be a second old.');
const notBefore = instant
  .optional()
  .describe(
    'The `endedAt` of an operation that the caller has seen: the answer includes it, and may wait up to a second for that.',
  );
const senders = z
  .object({
    countedAt,
    senders: z.array(sender),
    pool: load,
  })
  .meta({ id: 'Senders' });

export const conversation = z.object({
  conversationId: z.string(),
  externalId: z.string().nullable(),
  name: z.string(),
  phone: z.string(),
  status: status.nullable(),
  assigneeId: z.string().nullable().describe('The id of a texter; null is the pool.'),
  optedOut: z.boolean().nullable(),
  waitingSince: instant,
  lastInboundAt: instant.nullable(),
  lastOutboundAt: instant.nullable(),
  assignedAt: instant.nullable(),
  createdAt: instant,
});
const move = z
  .object({
    operationId: z.string(),
    from: z.string().nullable().describe('The id of a texter; null is the pool.'),
    to: z.string().nullable().describe('The id of a texter; null is the pool.'),
    at: instant,
    by: z.string().nullable().describe('The actor of the operation.'),
  })
  .meta({ id: 'Move' });
const withHistory = conversation
  .extend({ assignmentVersion: count, history: z.array(move).describe('The last moves, from old to new.') })
  .meta({ id: 'ConversationWithHistory' });
const view = z
  .object({
    countedAt,
    conversations: z.array(conversation.meta({ id: 'Conversation' })),
    hidden: count.describe('How many conversations the view does not show, because the contact has never replied.'),
    next,
  })
  .meta({ id: 'ConversationsView' });

const query = z.strictObject({
  ...pageAfter(viewPlace),
  assignee: texterId.describe('The id of a texter, or `pool`.').meta({ examples: ['pool'] }),
  status: z.enum(VISIBLE_STATUSES).optional().describe('Only conversations in this status.'),
  notBefore,
});

const sendersBody = oncePerAnswer(({ countedAt, senders, pool }: SendersView) => ({
  ...{ countedAt, pool },
  senders: [...senders],
}));
const viewBody = oncePerAnswer(({ conversations, next: following, ...others }: CountedView) => ({
  ...others,
  conversations: [...conversations],
  next: following && viewPlace.encode(following),
}));

/** What texters and the pool have: the senders' counts, the conversations view, and one conversation with its history. */
export function addConversationRoutes(app: App, services: HttpServices): void {
  addSenders(app, services);
  addView(app, services);
}

function addSenders(app: App, { context, senders: shared }: HttpServices): void {
  app.get(
    '/v1/campaigns/:campaignId/senders',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'getSenders',
        tags: ['Conversations'],
        summary: 'Count the conversations of each texter and of the pool',
        params: campaignParams,
        querystring: z.strictObject({ notBefore }),
        response: { 200: answer('The counts, which all see one moment.', senders), ...problems(404) },
      },
    },
    async (request) => {
      const { campaignId } = required(request.resources.campaign);
      const isEnough = isNotBefore(request.query.notBefore);
      const shown = await shared.read(campaignId, () => viewSenders(context, campaignId), isEnough);
      return sendersBody(shown);
    },
  );
}

function addView(app: App, { context, views: shared }: HttpServices): void {
  app.get(
    '/v1/campaigns/:campaignId/conversations',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'listConversations',
        tags: ['Conversations'],
        summary: 'List the conversations of a texter or of the pool, most urgent first',
        params: campaignParams,
        querystring: query,
        response: { 200: answer('A page of the view.', view), ...problems(404) },
      },
    },
    async (request) => {
      const { campaignId } = required(request.resources.campaign);
      const { assignee, status, limit, after, notBefore: seen } = request.query;
      const assignees = [assignee === 'pool' ? null : assignee];
      const asked = { campaignId, assignees, status, limit, after: after ?? null };
      const ask = async () => ({
        // Before the reads: the answer has every change until then.
        countedAt: context.clock.now().toISOString(),
        ...(await viewConversations(context, asked)),
      });
      const found = await shared.read(JSON.stringify(asked), ask, isNotBefore(seen));
      return viewBody(found);
    },
  );
  app.get(
    '/v1/campaigns/:campaignId/conversations/:conversationId',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign', 'conversation'] } },
      schema: {
        operationId: 'getConversation',
        tags: ['Conversations'],
        summary: 'Read a conversation with its history',
        params: campaignParams.extend({
          conversationId: conversationId.meta({ examples: ['65f1c0a2b3d4e5f601234567'] }),
        }),
        response: { 200: answer('The conversation.', withHistory), ...problems(404) },
      },
    },
    (request) => {
      const { history, ...found } = required(request.resources.conversation);
      const moves = history.map((each) => ({ ...each, operationId: toOutsideId(each.operationId) }));
      return { ...found, history: moves };
    },
  );
}
