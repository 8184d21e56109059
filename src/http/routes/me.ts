import { z } from 'zod';
import { viewConversations, viewLoad } from '../../conversations/index.ts';
import { VISIBLE_STATUSES } from '../../domain/conversation.ts';
import { toOutsideId } from '../../domain/id-rules.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { texterOf } from '../authenticate.ts';
import { answer } from '../document.ts';
import { next, pageAfter, viewPlace } from '../paging.ts';
import { conversation } from './conversations.ts';
import type { HttpServices } from '../services.ts';
import { campaign as campaignShape, countsByStatus, optedOutCount, texter as texterShape } from '../shapes.ts';

const ownCampaign = campaignShape
  .pick({ campaignId: true, name: true, closed: true, selfAssign: true })
  .meta({ id: 'OwnCampaign' });
const me = z
  .object({
    ...texterShape.pick({ texterId: true, name: true, active: true }).shape,
    campaign: ownCampaign,
    counts: countsByStatus,
    optedOut: optedOutCount,
  })
  .meta({ id: 'Me' });

const ownConversation = conversation.omit({ assigneeId: true }).meta({ id: 'OwnConversation' });
const ownView = z
  .object({
    conversations: z.array(ownConversation),
    hidden: z.int().describe('How many more the texter has that are not shown, because the contact has never replied.'),
    next,
  })
  .meta({ id: 'OwnConversations' });
const query = z.strictObject({
  ...pageAfter(viewPlace),
  status: z.enum(VISIBLE_STATUSES).optional().describe('Only conversations in this status.'),
});

/** What a texter has: who they are with their counts, and their conversations as the view shows them. */
export function addMeRoutes(app: App, services: HttpServices): void {
  addMe(app, services);
  addConversations(app, services);
}

function addMe(app: App, { context }: HttpServices): void {
  app.get(
    '/v1/me',
    {
      config: { access: { for: 'texter' } },
      schema: {
        operationId: 'getMe',
        tags: ['Me'],
        summary: 'Read who the texter is, the rules of the campaign, and how many conversations the texter has',
        response: { 200: answer('The texter.', me) },
      },
    },
    async ({ resources }) => {
      const [campaign, { texterId, name, active }] = [required(resources.campaign), required(resources.texter)];
      const { closed, selfAssign } = campaign;
      const { counts, optedOut } = await viewLoad(context, campaign.campaignId, texterId);
      const shown = { campaignId: toOutsideId(campaign.campaignId), name: campaign.name, closed, selfAssign };
      return { texterId, name, active, campaign: shown, counts, optedOut };
    },
  );
}

function addConversations(app: App, { context }: HttpServices): void {
  app.get(
    '/v1/me/conversations',
    {
      config: { access: { for: 'texter' } },
      schema: {
        operationId: 'listMyConversations',
        tags: ['Me'],
        summary: 'List the conversations of the texter, most urgent first',
        querystring: query,
        response: { 200: answer('A page of the view.', ownView) },
      },
    },
    async (request) => {
      const { campaignId, texterId } = texterOf(request);
      const { status, limit, after } = request.query;
      const asked = { campaignId, assignees: [texterId], status, limit, after: after ?? null };
      const found = await viewConversations(context, asked);
      return {
        conversations: [...found.conversations],
        hidden: found.hidden,
        next: found.next && viewPlace.encode(found.next),
      };
    },
  );
}
