import { findFailed, retry, withFailedJobs } from '../../reconcile/index.ts';
import { toOutsideId } from '../../domain/id-rules.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { problems } from '../document.ts';
import { actorBody, operation, operationHeaders, undoBody, waitHeaders } from '../operation-shapes.ts';
import { answerWith, HEADERS_OF_SENDING, operationAnswers, readOperation, sendOperation } from '../send-operation.ts';
import type { HttpServices } from '../services.ts';
import { operationParams } from '../shapes.ts';
import { readWaitMs, waitForCancellation } from '../waiting.ts';

/** Changes of an operation: undo, cancel and retry. */
export function addOperationChangeRoutes(app: App, services: HttpServices): void {
  app.post(
    '/v1/campaigns/:campaignId/operations/:operationId/undo',
    {
      config: { access: { for: 'key', scope: 'operations:write', chain: ['campaign', 'operation'], sends: true } },
      schema: {
        operationId: 'undoOperation',
        tags: ['Operations'],
        summary: 'Return what an operation moved; an undo is an operation itself',
        params: operationParams,
        headers: operationHeaders,
        body: undoBody,
        response: { ...operationAnswers(operation, ...HEADERS_OF_SENDING), ...problems(404, 409, 422) },
      },
    },
    (request, reply) => {
      const undoes = toOutsideId(required(request.resources.operation).operationId);
      return sendOperation(services, request, reply, { ...request.body, kind: 'undo', undoes });
    },
  );
  addCancel(app, services);
  addRetry(app, services);
}

function addCancel(app: App, services: HttpServices): void {
  app.post(
    '/v1/campaigns/:campaignId/operations/:operationId/cancel',
    {
      config: { access: { for: 'key', scope: 'operations:write', chain: ['campaign', 'operation'] } },
      schema: {
        operationId: 'cancelOperation',
        tags: ['Operations'],
        summary: 'Stop an operation that runs or waits, or a claim that waits; its receipt says what had moved',
        params: operationParams,
        headers: waitHeaders,
        body: actorBody,
        response: { ...operationAnswers(operation, 'Preference-Applied'), ...problems(404, 409) },
      },
    },
    async (request, reply) => {
      const { operationId, campaignId } = required(request.resources.operation);
      const waitMs = readWaitMs(request, reply);
      const cancellation = { operationId, campaignId, ...request.body };
      await waitForCancellation(waitMs, services.stopping.signal, (wait) =>
        services.producer.cancel(cancellation, wait),
      );
      return answerWith(reply, required(await readOperation(services, operationId)));
    },
  );
}

function addRetry(app: App, services: HttpServices): void {
  const { context, config } = services;
  app.post(
    '/v1/campaigns/:campaignId/operations/:operationId/retry',
    {
      config: { access: { for: 'key', scope: 'operations:write', chain: ['campaign', 'operation'] } },
      schema: {
        operationId: 'retryOperation',
        tags: ['Operations'],
        summary: 'Continue a failed operation where it stopped, after the operations that were accepted meanwhile',
        params: operationParams,
        response: { ...operationAnswers(operation), ...problems(404, 409) },
      },
    },
    async (request, reply) => {
      const { operationId } = required(request.resources.operation);
      await withFailedJobs(config.queue, async (jobs) => {
        const deps = { failures: context.failures, operationViews: context.operationViews, jobs };
        await retry(deps, await findFailed(deps, operationId));
      });
      return answerWith(reply, required(await readOperation(services, operationId)));
    },
  );
}
