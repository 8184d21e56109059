import { z } from 'zod';
import { addTexters, removeTexters, setEachActive, type Texter, type TexterOutcome } from '../../campaigns/index.ts';
import { texterId } from '../../domain/ids.ts';
import { required } from '../access.ts';
import { actorOf } from '../authenticate.ts';
import type { App } from '../app-type.ts';
import { answer, problems } from '../document.ts';
import { refillPool, type HttpServices } from '../services.ts';
import { actor, campaignParams, nameText, texter, texterParams } from '../shapes.ts';

/** More texters at once would keep the request running for too long. */
const LISTED_MAX = 200;

const additions = z
  .strictObject({
    texters: z
      .array(z.strictObject({ texterId, name: nameText }).meta({ id: 'TexterToAdd' }))
      .min(1)
      .max(LISTED_MAX),
    ...actor,
  })
  .meta({ id: 'TextersToAdd', examples: [{ texters: [{ texterId: 't_kevin', name: 'Kevin' }] }] });
const chosen = z
  .strictObject({ texterIds: z.array(texterId).min(1).max(LISTED_MAX), ...actor })
  .meta({ id: 'TexterIds', examples: [{ texterIds: ['t_kevin'] }] });

const refusal = z.object({ code: z.string(), message: z.string() }).meta({ id: 'TexterRefusal' });
const outcome = z
  .object({
    texterId: z.string(),
    texter: texter.nullable().describe('The texter after the change; null if the change was refused for this texter.'),
    refusal: refusal.nullable(),
  })
  .meta({ id: 'TexterOutcome' });
const outcomes = z.object({ texters: z.array(outcome) }).meta({ id: 'TexterOutcomes' });
const list = z.object({ texters: z.array(texter) }).meta({ id: 'Texters' });

/** Texters: add, list, read, pause, resume and remove. Each of a list succeeds or is refused by itself. */
export function addTexterRoutes(app: App, services: HttpServices): void {
  addReads(app, services);
  addAdd(app, services);
  addChange(app, services, 'pause', 'Pause texters: once this is answered, they are given nothing more');
  addChange(app, services, 'resume', 'End the pause of texters');
  addChange(app, services, 'remove', 'Remove texters who have no conversations');
}

function addReads(app: App, { context }: HttpServices): void {
  app.get(
    '/v1/campaigns/:campaignId/texters',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'listTexters',
        tags: ['Texters'],
        summary: 'List the texters of a campaign in the order in which they joined',
        params: campaignParams,
        response: { 200: answer('The texters.', list), ...problems(404) },
      },
    },
    async (request) => ({
      texters: await context.stores.texters.list(required(request.resources.campaign).campaignId),
    }),
  );
  app.get(
    '/v1/campaigns/:campaignId/texters/:texterId',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign', 'texter'] } },
      schema: {
        operationId: 'getTexter',
        tags: ['Texters'],
        summary: 'Read a texter',
        params: texterParams,
        response: { 200: answer('The texter.', texter), ...problems(404) },
      },
    },
    (request): Texter => required(request.resources.texter),
  );
}

function addAdd(app: App, { context }: HttpServices): void {
  app.post(
    '/v1/campaigns/:campaignId/texters',
    {
      config: { access: { for: 'key', scope: 'texters:write', chain: ['campaign'] } },
      schema: {
        operationId: 'addTexters',
        tags: ['Texters'],
        summary: 'Add texters in the order of the list; a texter who is on the campaign already is refused alone',
        params: campaignParams,
        body: additions,
        response: { 200: answer('What became of each.', outcomes), ...problems(404) },
      },
    },
    async (request) => {
      const { campaignId } = required(request.resources.campaign);
      const { texters, actorId } = request.body;
      const deps = { ...context, actor: actorOf(request, actorId) };
      return shown(await addTexters(deps, campaignId, texters));
    },
  );
}

function addChange(app: App, services: HttpServices, name: 'pause' | 'resume' | 'remove', summary: string): void {
  app.post(
    `/v1/campaigns/:campaignId/texters/${name}`,
    {
      config: { access: { for: 'key', scope: 'texters:write', chain: ['campaign'] } },
      schema: {
        operationId: `${name}Texters`,
        tags: ['Texters'],
        summary,
        params: campaignParams,
        body: chosen,
        response: { 200: answer('What became of each.', outcomes), ...problems(404) },
      },
    },
    async (request) => {
      const { campaignId } = required(request.resources.campaign);
      const { texterIds, actorId } = request.body;
      const deps = { ...services.context, actor: actorOf(request, actorId) };
      const changed =
        name === 'remove'
          ? await removeTexters(deps, campaignId, texterIds)
          : await setEachActive(deps, campaignId, texterIds, name === 'resume');
      await refillPool(services, campaignId);
      return shown(changed);
    },
  );
}

function shown(changed: readonly TexterOutcome[]): z.output<typeof outcomes> {
  const texters = changed.map((each) => {
    if (!('refusal' in each)) return { texterId: each.texterId, texter: each.texter, refusal: null };
    const { code, message } = each.refusal;
    return { texterId: each.texterId, texter: null, refusal: { code, message } };
  });
  return { texters };
}
