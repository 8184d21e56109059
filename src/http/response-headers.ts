import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';

interface HeaderOfDocument {
  readonly description: string;
  /** True when every response that the document describes with this header has it. */
  readonly required: boolean;
  readonly schema: { readonly type: 'string' | 'integer'; readonly format?: string; readonly minimum?: number };
  readonly example: string | number;
}

const text = { type: 'string' } as const;

/** The headers of responses, as the document describes them. */
export const HEADERS = {
  'X-Request-Id': {
    description: 'The id of the request. The log of the server has it too.',
    required: true,
    schema: { type: 'string', format: 'uuid' },
    example: '7f1cbb3e-5d0e-4f3a-9a55-0b0d7b6f1f0c',
  },
  'Cache-Control': {
    description: 'Nothing may store the response.',
    required: true,
    schema: text,
    example: 'no-store',
  },
  RateLimit: {
    description:
      'How many requests the caller may still send (`r`) in the time that is left (`t`, in seconds). Absent when the request was refused before it was counted.',
    required: false,
    schema: text,
    example: '"default";r=599;t=60',
  },
  'RateLimit-Policy': {
    description: 'How many requests the caller may send (`q`) in a time (`w`, in seconds).',
    required: false,
    schema: text,
    example: '"default";q=600;w=60',
  },
  'Retry-After': {
    description: 'After how many seconds to send the request again, or to read the operation again.',
    required: true,
    schema: { type: 'integer', minimum: 0 },
    example: 1,
  },
  Location: {
    description: 'The path of what the response shows.',
    required: true,
    schema: { type: 'string', format: 'uri-reference' },
    example: '/v1/campaigns/c_bartlett',
  },
  'Idempotent-Replayed': {
    description: '`true` when an earlier request with this Idempotency-Key has sent the operation.',
    required: false,
    schema: text,
    example: 'true',
  },
  'Preference-Applied': {
    description: 'How long the server was ready to wait, when the request has a header `Prefer: wait=N`.',
    required: false,
    schema: text,
    example: 'wait=10',
  },
  'WWW-Authenticate': {
    description: 'How to send a key or token.',
    required: true,
    schema: text,
    example: 'Bearer error="invalid_token"',
  },
  'Content-Disposition': {
    description: 'The name of the file.',
    required: true,
    schema: text,
    example: 'attachment; filename="c_bartlett.csv"',
  },
  'X-Accel-Buffering': {
    description: '`no`: a proxy must pass each event on at once.',
    required: true,
    schema: text,
    example: 'no',
  },
} as const satisfies Readonly<Record<string, HeaderOfDocument>>;

export type HeaderName = keyof typeof HEADERS;

/** The headers of every response. */
const COMMON: readonly HeaderName[] = ['X-Request-Id', 'Cache-Control'];
/** The headers of responses to requests that count against a limit. */
const LIMIT_HEADERS: readonly HeaderName[] = ['RateLimit', 'RateLimit-Policy'];
/** Node's parser finds these errors before the caller is known, so they count against no limit. */
const STATUSES_OF_PARSER: readonly string[] = ['408', '431'];
const OF_SUCCESS: readonly HeaderName[] = [
  'Location',
  'Idempotent-Replayed',
  'Preference-Applied',
  'Content-Disposition',
];

/** Returns the names of the headers of each response of a route: those that the responses declare, and those of all. */
export function headersOfRoute({ schema, config }: RouteOptions): ReadonlyMap<string, readonly HeaderName[]> {
  const isCounted = config?.access !== undefined && config.access.for !== 'anyone';
  const commonOf = (status: string) => [
    ...COMMON,
    ...(isCounted && !STATUSES_OF_PARSER.includes(status) ? LIMIT_HEADERS : []),
  ];
  const responses = Object.entries((schema?.response ?? {}) as Record<string, DeclaredResponse>);
  return new Map(responses.map(([status, { headers = [] }]) => [status, [...headers, ...commonOf(status)]]));
}

interface DeclaredResponse {
  readonly headers?: readonly HeaderName[];
}

/** Sets the headers that every response has. A stream of events sets another Cache-Control. */
export function addCommonHeaders({ id }: FastifyRequest, reply: FastifyReply): void {
  void reply.header('x-request-id', id).header('cache-control', 'no-store');
}

/** Removes what only a successful response has. A route sets such headers before it knows that it will succeed. */
export function removeHeadersOfSuccess(reply: FastifyReply): void {
  for (const name of OF_SUCCESS) void reply.removeHeader(name);
}
