import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Access, BegunEarlier, Resources } from './access.ts';
import type { KeyCaller, TexterCaller } from './authenticate.ts';

/** The server as the routes see it. The zod schema of a route gives the types of its request and its response. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route declares it; see `access.ts`. */
    access?: Access;
    /** The most time that the handler may take. Default: `http.answerMsMax`, and what the request prefers to wait. */
    answerMsMax?: number;
  }
  interface FastifyRequest {
    /** The app that sent the request to a route for keys. */
    caller: KeyCaller | null;
    /** The texter who sent the request to a route for texters. */
    texter: TexterCaller | null;
    resources: Resources;
    /** What the Idempotency-Key of the request had before, when the route declares that it sends. */
    earlier: BegunEarlier | null;
  }
}
