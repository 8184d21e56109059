import swagger from '@fastify/swagger';
import type { RouteOptions } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { App } from './app-type.ts';
import { pageOf, type ShownDocument } from './document-page.ts';
import type { Access } from './access.ts';
import { PROBLEM_TYPE, problemDocument } from './problem.ts';
import {
  tidySchemas,
  withHeaders,
  withLines,
  withMappings,
  withOptionalBodies,
  withPathFirst,
  type Document,
} from './document-schemas.ts';
import { HEADERS, headersOfRoute, type HeaderName } from './response-headers.ts';

const DESCRIPTION = `Moves texting conversations between texters. Ids are opaque texts of up to 64 letters, digits, "-", "_",
".", ":" and "|". A request that changes conversations has an \`Idempotency-Key\`, which is the id of the operation: sending
the same request again is always safe. Errors are problem documents (RFC 9457) with a stable \`code\`. Where a body is
optional, an empty one counts as none, and one of white space alone is refused, because it is not JSON. A list begins with its
first page where \`after\` is absent; \`cursor-refused\` says to begin there again.`;

const TOKEN_DESCRIPTION = `A token of a texter, from the operation \`issueToken\`. An organisation can also sign tokens itself with
a key that \`setTokenKeys\` has registered: EdDSA, ES256 or RS256, \`kid\` in the header, and the claims
\`iss\` (\`urn:baton:organisation:ID\`), \`aud\` (\`urn:baton:texters\`), \`sub\` (the texter id), \`campaignId\`, \`iat\`, and \`exp\` at most 15
minutes later; \`tokenVersion\` too after the tokens of the texter were revoked.`;

/** What an error response of each status means. */
const MEANING: Readonly<Record<number, string>> = {
  400: 'The request is not valid.',
  401: 'The request has no live key or no valid token.',
  403: 'The key does not have the scope of this route.',
  404: 'A resource in the path does not exist in your organisation.',
  408: 'The request did not arrive in time.',
  409: 'The request does not fit the state of what it names. Nothing has changed.',
  413: 'The body is too large.',
  415: 'The media type of the body is not supported.',
  422: 'The Idempotency-Key belongs to a different request.',
  429: 'The key or texter has sent too many requests.',
  431: 'The headers are too large.',
  500: 'An unexpected error, whose cause is in the log of the server.',
  503: 'Redis or MongoDB cannot be reached, or no worker answered.',
  504: 'The request did not end in time, and may still take effect.',
};

/** The headers that errors of a status have, besides those of every response. */
const HEADERS_OF_ERROR: Readonly<Record<number, readonly HeaderName[]>> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
  504: ['Retry-After'],
};

/** Error responses for the schema of a route. */
export function problems<Status extends keyof typeof MEANING>(...statuses: readonly Status[]) {
  const answer = (status: Status) => ({
    description: MEANING[status] ?? '',
    content: { [PROBLEM_TYPE]: { schema: problemDocument } },
    headers: HEADERS_OF_ERROR[status] ?? [],
  });
  return Object.fromEntries(statuses.map((status) => [status, answer(status)])) as unknown as Record<
    Status,
    typeof problemDocument
  >;
}

/** A response with a body, and the headers that other responses do not have. */
export function answer<Schema extends z.ZodType>(
  description: string,
  schema: Schema,
  ...headers: readonly HeaderName[]
): Schema {
  return { description, content: { 'application/json': { schema } }, headers } as unknown as Schema;
}

/** Adds to the schema of a route what follows from its declaration: the security, and the errors that every route has. */
export function describeRoute(route: RouteOptions): void {
  const { schema, config } = route;
  if (!schema || schema.hide) return;
  if (!config?.access) throw new Error(`the route ${route.url} does not declare who may use it`);
  const { access } = config;
  // The framework reads the body of a request also when the route takes none.
  const mayHaveBody = route.method !== 'GET';
  const common = problems(...ERRORS_FOR[access.for], ...(mayHaveBody ? [413, 415] : []));
  route.schema = {
    ...schema,
    security: securityOf(access),
    response: { ...(schema.response as object), ...common },
  };
}

/** The errors that every route for these callers has. The parser of Node finds some before the route is known. */
const ERRORS_FOR = {
  anyone: [400, 408, 431, 500],
  key: [400, 401, 403, 408, 429, 431, 500, 503, 504],
  texter: [400, 401, 408, 429, 431, 500, 503, 504],
} as const;

function securityOf(access: Access): Record<string, string[]>[] {
  if (access.for === 'anyone') return [];
  return access.for === 'key' ? [{ key: [access.scope] }] : [{ texter: [] }];
}

/** The page has no scripts and loads nothing. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

interface JsonText {
  pattern?: string;
}

interface JsonList {
  readOnly?: boolean;
}

const toJson = {
  override: ({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: object }) => {
    const { def } = zodSchema._zod;
    if (def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
    // The format says enough, and generated clients would match the pattern against a date object.
    if (def.type === 'string' && 'format' in def && def.format === 'datetime') delete (jsonSchema as JsonText).pattern;
    if (def.type === 'readonly') delete (jsonSchema as JsonList).readOnly;
    // The library leaves out the default of a value that is converted.
    if (def.type === 'default') Object.assign(jsonSchema, { default: def.defaultValue });
    if (def.type === 'undefined') Object.assign(jsonSchema, { type: 'null' });
    if (def.type === 'union' && 'discriminator' in def) {
      Object.assign(jsonSchema, { discriminator: { propertyName: def.discriminator } });
    }
  },
  unrepresentable: 'any',
} as const;

/** Collects the routes that are added afterwards, and serves the document and a page that shows it. */
export async function addDocument(app: App): Promise<void> {
  const transformObject = createJsonSchemaTransformObject({ zodToJsonConfig: toJson });
  const { optionalBodies, headers } = collect(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Baton',
        version: '1',
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This server' }],
      components: {
        headers: HEADERS,
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key of an app, from `baton key create`.' },
          texter: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: TOKEN_DESCRIPTION },
        },
      },
      tags: TAGS,
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig: toJson }),
    transformObject: (document) => {
      const tidied = tidySchemas(withMappings(transformObject(document) as Document));
      return withHeaders(withLines(withPathFirst(withOptionalBodies(tidied, optionalBodies))), headers);
    },
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { access: { for: 'anyone' } } }, () => app.swagger());
  app.get('/docs', { schema: { hide: true }, config: { access: { for: 'anyone' } } }, (_, reply) =>
    reply
      .type('text/html')
      .header('content-security-policy', PAGE_POLICY)
      .send(pageOf(app.swagger() as ShownDocument)),
  );
}

/** Collects from the routes, by their operation ids, what the library leaves out. */
function collect(app: App) {
  const optionalBodies = new Set<string>();
  const headers = new Map<string, ReadonlyMap<string, readonly HeaderName[]>>();
  app.addHook('onRoute', (route) => {
    const { schema } = route;
    if (schema?.operationId === undefined) return;
    headers.set(schema.operationId, headersOfRoute(route));
    const body = schema.body as z.ZodType | undefined;
    if (body?.safeParse(undefined).success) optionalBodies.add(schema.operationId);
  });
  return { optionalBodies, headers };
}

const TAGS = [
  { name: 'Campaigns', description: 'The drives in which conversations move.' },
  { name: 'Texters', description: 'The people of a campaign who can be assigned conversations.' },
  { name: 'Operations', description: 'Requests that move conversations, with their receipts.' },
  { name: 'Claims', description: 'Texters who take more conversations from the pool.' },
  { name: 'Conversations', description: 'What texters and the pool have.' },
  { name: 'Events', description: 'Changes as they happen, as server-sent events.' },
  { name: 'Tokens', description: 'Tokens with which texters use the API themselves.' },
  { name: 'Me', description: 'What a texter does with a token.' },
  { name: 'Server', description: 'Whether the server works.' },
];
