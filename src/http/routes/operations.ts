import { z } from 'zod';
import { movesPlace, OPERATION_FILTERS, readMoves, parseMovesRequest, toMovesPage } from '../../operations/index.ts';
import { OPERATION_KINDS } from '../../domain/operation.ts';
import { toOutsideId, toStoredId } from '../../domain/id-rules.ts';
import { required } from '../access.ts';
import { callerOf } from '../authenticate.ts';
import type { App } from '../app-type.ts';
import { answer, problems } from '../document.ts';
import {
  movesPage,
  operation,
  operationBody,
  operationHeaders,
  operationsPage,
  preview,
  previewBody,
} from '../operation-shapes.ts';
import { operationView } from '../operation-view.ts';
import { momentPlace, pageAfter } from '../paging.ts';
import { PREVIEW_ROUTE_MS_MAX, previewOf } from '../preview-of.ts';
import { HEADERS_OF_SENDING, operationAnswers, sendOperation, viewWithPlace } from '../send-operation.ts';
import type { HttpServices, ListedOperations } from '../services.ts';
import { oncePerAnswer } from '../shared-bodies.ts';
import { campaignParams, operationParams } from '../shapes.ts';

const filters = {
  state: z.enum(OPERATION_FILTERS).optional().describe('Only operations in this state.'),
  kind: z
    .enum(OPERATION_KINDS)
    .optional()
    .describe('Only operations of this kind. Claims are of the kind self-assign.'),
};

/** Operations: send, preview, list, read, and what became of each conversation. */
export function addOperationRoutes(app: App, services: HttpServices): void {
  addSend(app, services);
  addReads(app, services);
  addMoves(app, services);
}

function addSend(app: App, services: HttpServices): void {
  app.post(
    '/v1/campaigns/:campaignId/operations',
    {
      config: { access: { for: 'key', scope: 'operations:write', chain: ['campaign'], sends: true } },
      schema: {
        operationId: 'sendOperation',
        tags: ['Operations'],
        summary: 'Reassign, unassign or undo: send an operation, and wait for it if the request prefers so',
        params: campaignParams,
        headers: operationHeaders,
        body: operationBody,
        response: { ...operationAnswers(operation, ...HEADERS_OF_SENDING), ...problems(404, 409, 422) },
      },
    },
    (request, reply) => sendOperation(services, request, reply, request.body),
  );
  app.post(
    '/v1/campaigns/:campaignId/operations/preview',
    {
      config: {
        access: { for: 'key', scope: 'read', chain: ['campaign'] },
        answerMsMax: PREVIEW_ROUTE_MS_MAX,
      },
      schema: {
        operationId: 'previewOperation',
        tags: ['Operations'],
        summary: 'Show what an operation would do now; changes nothing',
        params: campaignParams,
        body: previewBody,
        response: { 200: answer('What would move.', preview), ...problems(404, 409) },
      },
    },
    (request) => previewOf(services, request, request.body),
  );
}

const listBody = oncePerAnswer(({ shown, isLast }: ListedOperations) => {
  const last = isLast ? undefined : shown.at(-1);
  return {
    operations: shown.map(operationView),
    next: last ? momentPlace.encode({ at: last.acceptedAt, id: toOutsideId(last.operationId) }) : null,
  };
});

function addReads(app: App, services: HttpServices): void {
  const { context, lists } = services;
  app.get(
    '/v1/campaigns/:campaignId/operations',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'listOperations',
        tags: ['Operations'],
        summary: 'List the operations and claims of a campaign that a worker has accepted, newest first',
        params: campaignParams,
        querystring: z.strictObject({ ...pageAfter(momentPlace), ...filters }),
        response: { 200: answer('A page of operations.', operationsPage), ...problems(404) },
      },
    },
    async (request) => {
      const { campaignId } = required(request.resources.campaign);
      const { limit, after, state, kind } = request.query;
      const { organisationId } = callerOf(request);
      const start = after && { acceptedAt: after.at, operationId: toStoredId(organisationId, after.id) };
      const ask = async (): Promise<ListedOperations> => {
        const found = await context.operationViews.listOperations(campaignId, limit + 1, { state, kind }, start);
        const shown = await context.operationViews.withPlaces(campaignId, found.slice(0, limit));
        return { shown, isLast: found.length <= limit };
      };
      // A caller looks for its own change.
      return listBody(await lists.readNew(JSON.stringify({ campaignId, limit, state, kind, after }), ask));
    },
  );
  app.get(
    '/v1/campaigns/:campaignId/operations/:operationId',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign', 'operation'] } },
      schema: {
        operationId: 'getOperation',
        tags: ['Operations'],
        summary: 'Read an operation or claim, with its receipt',
        params: operationParams,
        response: { 200: answer('The operation.', operation), ...problems(404) },
      },
    },
    (request) => viewWithPlace(services, required(request.resources.operation)),
  );
}

function addMoves(app: App, { context }: HttpServices): void {
  app.get(
    '/v1/campaigns/:campaignId/operations/:operationId/moves',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign', 'operation'] } },
      schema: {
        operationId: 'listMoves',
        tags: ['Operations'],
        summary: 'List what became of each conversation of an operation: it moved, or was skipped for a reason',
        params: operationParams,
        querystring: z.strictObject(pageAfter(movesPlace)),
        response: { 200: answer('A page of conversations.', movesPage), ...problems(404, 409) },
      },
    },
    async (request) => {
      const { operationId, campaignId } = required(request.resources.operation);
      const moves = parseMovesRequest({ operationId, campaignId, ...request.query });
      const { state, conversations, next } = toMovesPage(await readMoves(context, moves));
      return { state, conversations: [...conversations], next };
    },
  );
}
