import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import { fastify, type FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Resources } from './access.ts';
import { admit } from './admit.ts';
import type { App } from './app-type.ts';
import { addDocument, describeRoute } from './document.ts';
import {
  answerClientError,
  HEADER_BYTES_MAX,
  newErrorHandler,
  newPathErrorHandler,
  REQUEST_MS_MAX,
} from './error-handler.ts';
import { KnownPaths } from './unknown-routes.ts';
import type { HttpProblem } from './problem.ts';
import { compressedBody, withoutHost } from './problem-of-error.ts';
import { addCommonHeaders, HEADERS } from './response-headers.ts';
import { ROUTES } from './routes/index.ts';
import type { HttpServices } from './services.ts';
import { serializerCompiler } from './shared-bodies.ts';
import { nullBody, validatorCompiler } from './validation.ts';
import { preferredWaitMs } from './waiting.ts';

/** Time limits and sizes of requests. A proxy in front usually cuts a request off after 60 seconds. */
const HEADERS_MS_MAX = 10_000;
const IDLE_MS_MAX = 65_000;
/** An id of 64 characters, each of which may be percent-encoded. */
const PARAM_CHARS_MAX = 200;

/** Builds the server with every route. It does not listen yet. */
export async function buildApp(services: HttpServices): Promise<App> {
  const app = newApp(services);
  app.addHook('onRequest', (request, reply, done) => {
    addCommonHeaders(request, reply);
    done();
  });
  // Before the hook that refuses requests: a browser shows a page no answer without the headers of CORS.
  await app.register(cors, {
    origin: [...services.config.http.corsOrigins],
    methods: ['GET', 'POST', 'PUT', 'PATCH'],
    exposedHeaders: Object.keys(HEADERS),
    maxAge: 600,
    // Otherwise OPTIONS without the headers of a preflight request is answered with text.
    strictPreflight: false,
  });
  refuseUnknownRoutes(app);
  addHooks(app, services);
  app.addHook('onRoute', describeRoute);
  await addDocument(app);
  for (const addRoutes of ROUTES) await addRoutes(app, services);
  await app.ready();
  return app;
}

function newApp({ logger, config: { http } }: HttpServices): App {
  const app: App = fastify({
    bodyLimit: http.bodyBytesMax,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: IDLE_MS_MAX,
    // Node answers a request without a Host itself, and without a problem document.
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADERS_MS_MAX, requireHostHeader: false },
    routerOptions: { maxParamLength: PARAM_CHARS_MAX, ignoreTrailingSlash: false },
    trustProxy: http.proxies.length > 0 ? [...http.proxies] : false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: newPathErrorHandler(logger),
    return503OnClosing: false,
  }).withTypeProvider<ZodTypeProvider>();
  app.server.maxConnections = http.connectionsMax;
  // Node would answer 417. A server may ignore expectations that it does not know.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(newErrorHandler(logger));
  app.removeContentTypeParser('text/plain');
  readEmptyJsonAsNoBody(app);
  return app;
}

/** Many clients name the media type of every request, also when a route needs no body. */
function readEmptyJsonAsNoBody(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, undefined);
    else void parse(request, String(text), done);
  });
}

/** Refuses a request that no route takes, or that the server cannot read, before its body is read. */
function refuseUnknownRoutes(app: App): void {
  const paths = new KnownPaths();
  app.addHook('onRoute', ({ url, method }) => paths.add(url, method));
  app.addHook('onRequest', (request, _, done) => {
    done(request.is404 ? paths.problemOf(request.url) : unreadable(request));
  });
}

/** Returns the problem of a request that has no Host, or whose body is compressed. */
function unreadable({ raw, headers, method }: FastifyRequest): HttpProblem | undefined {
  if (raw.httpVersion === '1.1' && headers.host === undefined) return withoutHost();
  const { 'content-encoding': coding = 'identity' } = headers;
  return method === 'GET' || coding.toLowerCase() === 'identity' ? undefined : compressedBody();
}

function addHooks(app: App, services: HttpServices): void {
  app.decorateRequest('caller', null);
  app.decorateRequest('texter', null);
  app.decorateRequest('earlier', null);
  app.decorateRequest('resources', null as unknown as Resources);
  app.addHook('onRequest', async (request, reply) => {
    request.resources = {};
    const { access } = request.routeOptions.config;
    if (!access || access.for === 'anyone') return;
    await services.availability.during(services.config.http.answerMsMax, () => admit(services, access, request, reply));
  });
  // The framework validates a missing body as null, so a schema cannot tell the two apart.
  app.addHook('preValidation', (request, _, done) => done(request.body === null ? nullBody() : undefined));
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url: route } = request.routeOptions;
    const fields = { requestId: request.id, method, route: route ?? null, status: reply.statusCode };
    const ms = Math.round(reply.elapsedTime);
    const { caller, texter } = request;
    const by = { ...(caller && { key: caller.keyId }), ...(texter && { texterId: texter.texterId }) };
    services.logger.info({ ...fields, ms, ...by }, 'request');
    done();
  });
  // A handler waits no longer than Redis and MongoDB answer, and not without end.
  app.addHook('onRoute', (route) => {
    if (!route.config?.access || route.config.access.for === 'anyone') return;
    const { handler, config } = route;
    route.handler = function (request, reply) {
      const limitMs = config.answerMsMax ?? services.config.http.answerMsMax + (preferredWaitMs(request) ?? 0);
      return services.availability.during<unknown>(limitMs, async () => {
        return await handler.call(this, request, reply);
      });
    };
  });
}
