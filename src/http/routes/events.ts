import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { viewLoad, viewSenders } from '../../conversations/index.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { readToken } from '../../access/index.ts';
import { bearerOf, callerOf, texterOf } from '../authenticate.ts';
import { problems } from '../document.ts';
import { CampaignView } from '../live/campaign-view.ts';
import { campaignEvents, operationEvents, texterEvents, type StreamEvents } from '../live/event-shapes.ts';
import { countsOfEvent } from '../live/live-counts.ts';
import { STREAMS_OF_KEY_MAX, STREAMS_OF_TEXTER_MAX, type StreamOwner } from '../live/live-hub.ts';
import { openStream } from '../live/open-stream.ts';
import { OperationView } from '../live/operation-view.ts';
import { TexterView } from '../live/texter-view.ts';
import type { HeaderName } from '../response-headers.ts';
import { readOperation } from '../send-operation.ts';
import type { HttpServices } from '../services.ts';
import { campaignParams, operationParams } from '../shapes.ts';

const EVERY_STREAM = `Events are hints and can be lost. Each has a \`version\`; \`previous\` is the version of the event before it, so
that a client notices a gap. The schema of the response has each kind of event, and its \`contentSchema\` is the schema of
\`data\`. After a lost connection, a client sends the id of its last event as \`Last-Event-ID\`, to any
server. \`reset\` means that events are missing: a new \`snapshot\` follows. \`bye\` ends the stream: connect again. A
comment every 15 seconds shows that the connection works.`;

const CAMPAIGN_STREAM = `\`snapshot\`: the counts by sender and the newest operations. \`changes\`: operations in their new
state, and the ids of the conversations that texters gained and lost. \`many\` names the lists that would be too long: read
them again. \`counts\`: the counts by sender, when they have changed. ${EVERY_STREAM}`;

const OPERATION_STREAM = `\`snapshot\`: the operation. \`progress\`: how many conversations it has moved. \`end\`: the operation
with its receipt; then the stream ends. ${EVERY_STREAM}`;

const TEXTER_STREAM = `\`snapshot\`: the counts of the texter's conversations. \`changes\`: the ids of the conversations that
the texter gained and lost, and the texter's claims. \`many\` names what would be too long: read it again. ${EVERY_STREAM}`;

const headers = z.looseObject({
  'last-event-id': z.string().max(100).optional().describe('The id of the last event that the client has received.'),
});

/**
 * A response that stays open. OpenAPI 3.1 does not say whether a schema is that of the whole text or of each event, and tools
 * disagree.
 */
function stream(name: string, events: StreamEvents): z.ZodString {
  const [first, ...others] = Object.values(events).map(({ whole }) => whole);
  if (!first) throw new Error(`a stream of ${name} needs events`);
  const each = z.discriminatedUnion('event', [first, ...others]).meta({ id: name });
  const schema = z.union([z.string(), each]).describe('The text of the stream, or each of its events.');
  const headers: readonly HeaderName[] = ['X-Accel-Buffering'];
  return {
    description: 'A stream of events.',
    content: { 'text/event-stream': { schema } },
    headers,
  } as unknown as z.ZodString;
}

/** Server-sent events about a campaign and about one operation. */
export function addEventRoutes(app: App, services: HttpServices): void {
  app.get(
    '/v1/campaigns/:campaignId/events',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'watchCampaign',
        tags: ['Events'],
        summary: 'Watch a campaign: operations, counts by sender, and conversations that texters gain and lose',
        description: CAMPAIGN_STREAM,
        params: campaignParams,
        headers,
        response: { 200: stream('CampaignEvent', campaignEvents), ...problems(404) },
      },
    },
    (request, reply) => watchCampaign(services, request, reply),
  );
  app.get(
    '/v1/campaigns/:campaignId/operations/:operationId/events',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign', 'operation'] } },
      schema: {
        operationId: 'watchOperation',
        tags: ['Events'],
        summary: 'Watch an operation or claim until its end',
        description: OPERATION_STREAM,
        params: operationParams,
        headers,
        response: { 200: stream('OperationEvent', operationEvents), ...problems(404) },
      },
    },
    (request, reply) => watchOperation(services, request, reply),
  );
  app.get(
    '/v1/me/events',
    {
      config: { access: { for: 'texter' } },
      schema: {
        operationId: 'watchMine',
        tags: ['Me'],
        summary: 'Watch what the texter gains and loses',
        description: TEXTER_STREAM,
        headers,
        response: { 200: stream('OwnEvent', texterEvents) },
      },
    },
    (request, reply) => watchOwn(services, request, reply),
  );
}

function watchCampaign(services: HttpServices, request: FastifyRequest, reply: FastifyReply): Promise<never> {
  const { context, live, senders, snapshots } = services;
  const { campaignId } = required(request.resources.campaign);
  const campaign = live.campaign(campaignId);
  const view = new CampaignView({
    campaignId,
    readTail: () => campaign.readTail(),
    readCounts: async () => countsOfEvent(await senders.read(campaignId, () => viewSenders(context, campaignId))),
    operations: context.operationViews,
    shared: snapshots,
  });
  return openStream(services, request, reply, { campaign, view, owner: keyOwner(services, request) });
}

function watchOperation(services: HttpServices, request: FastifyRequest, reply: FastifyReply): Promise<never> {
  const { operationId, campaignId } = required(request.resources.operation);
  const campaign = services.live.campaign(campaignId);
  const view = new OperationView({
    operationId,
    readTail: () => campaign.readTail(),
    readOperation: () => readOperation(services, operationId),
    shared: services.snapshots,
  });
  return openStream(services, request, reply, { campaign, view, owner: keyOwner(services, request) });
}

function watchOwn(services: HttpServices, request: FastifyRequest, reply: FastifyReply): Promise<never> {
  const { context, live } = services;
  const { campaignId, texterId } = texterOf(request);
  const campaign = live.campaign(campaignId);
  const view = new TexterView({
    texterId,
    readTail: () => campaign.readTail(),
    readOwn: () => viewLoad(context, campaignId, texterId),
  });
  return openStream(services, request, reply, { campaign, view, owner: texterOwner(services, request) });
}

function keyOwner({ keyCache }: HttpServices, request: FastifyRequest): StreamOwner {
  const { keyId } = callerOf(request);
  return { id: `key ${keyId}`, streamsMax: STREAMS_OF_KEY_MAX, isLive: () => keyCache.isLive(keyId) };
}

function texterOwner({ context, tokenKeys }: HttpServices, request: FastifyRequest): StreamOwner {
  const { campaignId, texterId } = texterOf(request);
  const token = bearerOf(request);
  const isLive = async (): Promise<boolean> => {
    const subject = await readToken(token, tokenKeys, context.clock.now());
    if (typeof subject === 'string') return false;
    return (await context.stores.texters.tokenVersion(campaignId, texterId)) === subject.tokenVersion;
  };
  return { id: `texter ${campaignId} ${texterId}`, streamsMax: STREAMS_OF_TEXTER_MAX, isLive };
}
