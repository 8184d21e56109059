import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  changeRules,
  createCampaign,
  setClosed,
  setCountry,
  type Campaign,
  type SelfAssignSettings,
} from '../../campaigns/index.ts';
import { outsideId } from '../../domain/ids.ts';
import { toOutsideId, toStoredId } from '../../domain/id-rules.ts';
import { required } from '../access.ts';
import { actorOf, callerOf } from '../authenticate.ts';
import type { App } from '../app-type.ts';
import { answer, problems } from '../document.ts';
import { momentPlace, next, pageAfter } from '../paging.ts';
import { refillPool, type HttpServices } from '../services.ts';
import { actor, actorOnly, campaign, campaignParams, countryCode, nameText, selfAssignChanges } from '../shapes.ts';

const country = countryCode.describe('An ISO 3166 code of two letters, such as US.');
const creation = z
  .strictObject({
    campaignId: outsideId('the campaign').optional().describe('Default: a new id.'),
    name: nameText,
    country: country.optional(),
    selfAssign: selfAssignChanges.optional(),
    ...actor,
  })
  .meta({
    id: 'CampaignToCreate',
    examples: [{ campaignId: 'c_bartlett', name: 'Bartlett 2020', selfAssign: { enabled: true } }],
  });
const changes = z
  .strictObject({ country: country.optional(), selfAssign: selfAssignChanges.optional(), ...actor })
  .meta({ id: 'CampaignChanges', examples: [{ selfAssign: { batchMax: 50 } }] });

const campaignsPage = z.object({ campaigns: z.array(campaign), next }).meta({ id: 'CampaignsPage' });

/** Campaigns: create, list, read, change the rules, close and open. */
export function addCampaignRoutes(app: App, services: HttpServices): void {
  addCreateAndList(app, services);
  addOne(app, services);
  addCloseAndOpen(app, services);
}

function outside({ campaignId, ...fields }: Campaign): Campaign {
  return { campaignId: toOutsideId(campaignId), ...fields };
}

function addCreateAndList(app: App, { context }: HttpServices): void {
  app.post(
    '/v1/campaigns',
    {
      config: { access: { for: 'key', scope: 'campaigns:write', chain: [] } },
      schema: {
        operationId: 'createCampaign',
        tags: ['Campaigns'],
        summary: 'Create an open campaign',
        body: creation,
        response: { 201: answer('The campaign.', campaign, 'Location'), ...problems(409) },
      },
    },
    async (request, reply) => {
      const { campaignId = `c_${randomUUID()}`, actorId, name, country: code, selfAssign = {} } = request.body;
      const storedId = toStoredId(callerOf(request).organisationId, campaignId);
      const deps = { ...context, actor: actorOf(request, actorId) };
      const created = await createCampaign(deps, {
        ...{ campaignId: storedId, name, selfAssign: defined(selfAssign) },
        ...(code !== undefined && { country: code }),
      });
      return reply
        .status(201)
        .header('location', `/v1/campaigns/${encodeURIComponent(campaignId)}`)
        .send(outside(created));
    },
  );
  app.get(
    '/v1/campaigns',
    {
      config: { access: { for: 'key', scope: 'read', chain: [] } },
      schema: {
        operationId: 'listCampaigns',
        tags: ['Campaigns'],
        summary: 'List the campaigns of the organisation, newest first',
        querystring: z.strictObject(pageAfter(momentPlace)),
        response: { 200: answer('A page of campaigns.', campaignsPage) },
      },
    },
    async (request) => {
      const { limit, after } = request.query;
      const { organisationId } = callerOf(request);
      const start = after ? { createdAt: after.at, campaignId: toStoredId(organisationId, after.id) } : null;
      const found = await context.stores.campaigns.listOf(organisationId, start, limit + 1);
      const shown = found.slice(0, limit);
      const last = found.length > limit ? shown.at(-1) : undefined;
      return {
        campaigns: shown.map(outside),
        next: last ? momentPlace.encode({ at: last.createdAt, id: toOutsideId(last.campaignId) }) : null,
      };
    },
  );
}

function addOne(app: App, services: HttpServices): void {
  const { context } = services;
  app.get(
    '/v1/campaigns/:campaignId',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'getCampaign',
        tags: ['Campaigns'],
        summary: 'Read a campaign',
        params: campaignParams,
        response: { 200: answer('The campaign.', campaign), ...problems(404) },
      },
    },
    (request) => outside(required(request.resources.campaign)),
  );
  app.patch(
    '/v1/campaigns/:campaignId',
    {
      config: { access: { for: 'key', scope: 'campaigns:write', chain: ['campaign'] } },
      schema: {
        operationId: 'changeCampaign',
        tags: ['Campaigns'],
        summary: 'Change the country or some of the rules of self-assign',
        params: campaignParams,
        body: changes,
        response: { 200: answer('The changed campaign.', campaign), ...problems(404) },
      },
    },
    async (request) => {
      const before = required(request.resources.campaign);
      const { campaignId } = before;
      const { country: code, selfAssign, actorId } = request.body;
      const deps = { ...context, actor: actorOf(request, actorId) };
      // The country can be refused, so it comes first.
      let changed = code === undefined ? before : await setCountry(deps, campaignId, code);
      if (selfAssign && Object.keys(selfAssign).length > 0) {
        changed = await changeRules(deps, campaignId, defined(selfAssign));
        await refillPool(services, campaignId);
      }
      return outside(changed);
    },
  );
}

function addCloseAndOpen(app: App, services: HttpServices): void {
  const add = (name: 'close' | 'open', summary: string): void => {
    app.post(
      `/v1/campaigns/:campaignId/${name}`,
      {
        config: { access: { for: 'key', scope: 'campaigns:write', chain: ['campaign'] } },
        schema: {
          operationId: `${name}Campaign`,
          tags: ['Campaigns'],
          summary,
          params: campaignParams,
          body: actorOnly,
          response: { 200: answer('The changed campaign.', campaign), ...problems(404) },
        },
      },
      async (request) => {
        const { campaignId } = required(request.resources.campaign);
        const deps = { ...services.context, actor: actorOf(request, request.body?.actorId) };
        const changed = await setClosed(deps, campaignId, name === 'close');
        await refillPool(services, campaignId);
        return outside(changed);
      },
    );
  };
  add('close', 'Close a campaign: once this is answered, no texter is given a conversation any more');
  add('open', 'Open a closed campaign again');
}

/** Leaves out the rules that are `undefined`. */
function defined(rules: z.output<typeof selfAssignChanges>): Partial<SelfAssignSettings> {
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}
