import { z } from 'zod';
import { viewLoad } from '../../conversations/index.ts';
import { toOutsideId } from '../../domain/organisations.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { answer } from '../document.ts';
import type { HttpServices } from '../services.ts';
import { campaign as campaignShape, countsByStatus, texter as texterShape } from '../shapes.ts';

const me = z
  .object({
    ...texterShape.pick({ texterId: true, name: true, active: true }).shape,
    campaign: campaignShape.pick({ campaignId: true, name: true, closed: true, selfAssign: true }),
    counts: countsByStatus,
    optedOut: z.int().describe('Conversations of contacts who opted out.'),
  })
  .meta({ id: 'Me' });

/** What a texter does with a token: ask for more, list what they have, and give it back. */
export function addMeRoutes(app: App, { context }: HttpServices): void {
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
