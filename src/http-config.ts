import { isIP, isIPv6 } from 'node:net';
import { z } from 'zod';

const CONNECTIONS_LIMIT = 100_000;
const REQUESTS_LIMIT = 10_000_000;
const ANSWER_MS_MIN = 100;
const ANSWER_MS_LIMIT = 300_000;
const BODY_BYTES_MIN = 1_024;
const BODY_BYTES_LIMIT = 64 * 1024 * 1024;

/** Splits a list of words that are separated by commas. */
const words = (isWord: (word: string) => boolean, rule: string) =>
  z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()])))
    .refine((list) => list.every(isWord), { error: rule });

/** An address, or a network such as 10.0.0.0/8. */
function isNetwork(word: string): boolean {
  const [address = '', bits, ...more] = word.split('/');
  const bitsMax = isIPv6(address) ? 128 : 32;
  const isSize = bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= bitsMax);
  return isIP(address) !== 0 && more.length === 0 && isSize;
}

function isOrigin(word: string): boolean {
  return URL.canParse(word) && new URL(word).origin === word;
}

/** The variables of the HTTP server. */
export const httpEnvironment = {
  BATON_HTTP_HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:-]{1,255}$/, 'must be the name or the address of a network interface')
    .default('127.0.0.1')
    .describe(
      'The address that the HTTP server listens on. 0.0.0.0 is every interface: put a proxy with TLS in front.',
    ),
  BATON_HTTP_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8_686)
    .describe('The port of the HTTP server. 0 takes any free port, which the log names.'),
  BATON_HTTP_CORS_ORIGINS: words(
    isOrigin,
    'must be origins such as https://app.example.org, separated by commas',
  ).describe('The origins whose pages may use the HTTP API from a browser, separated by commas.'),
  BATON_HTTP_PROXIES: words(isNetwork, 'must be addresses or networks, separated by commas').describe(
    'The addresses and networks of proxies that may name the client (X-Forwarded-For), separated by commas.',
  ),
  BATON_HTTP_BODY_BYTES_MAX: z.coerce
    .number()
    .int()
    .min(BODY_BYTES_MIN)
    .max(BODY_BYTES_LIMIT)
    .default(1024 * 1024)
    .describe('The largest body of a request, in bytes. Bodies that are streamed have limits of their own.'),
  BATON_HTTP_ANSWER_MS_MAX: z.coerce
    .number()
    .int()
    .min(ANSWER_MS_MIN)
    .max(ANSWER_MS_LIMIT)
    .default(20_000)
    .describe(
      'How long a request may take until its answer begins, in milliseconds, besides the time that it asks to wait. Then it is answered with 504.',
    ),
  BATON_HTTP_CONNECTIONS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(CONNECTIONS_LIMIT)
    .default(5_000)
    .describe('The most connections of clients to one HTTP server.'),
  BATON_HTTP_REQUESTS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .max(REQUESTS_LIMIT)
    .default(120_000)
    .describe('How many requests one API key may send in a minute, to all servers together.'),
  BATON_HTTP_TEXTER_REQUESTS_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .max(REQUESTS_LIMIT)
    .default(600)
    .describe('How many requests one texter may send in a minute, to all servers together.'),
  BATON_HTTP_REFUSED_PER_MINUTE: z.coerce
    .number()
    .int()
    .min(1)
    .max(REQUESTS_LIMIT)
    .default(600)
    .describe(
      'How many requests with a refused key or token one address may send in a minute, to all servers together.',
    ),
};

export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  readonly corsOrigins: readonly string[];
  readonly proxies: readonly string[];
  readonly bodyBytesMax: number;
  readonly answerMsMax: number;
  readonly connectionsMax: number;
  readonly keyRequestsPerMinute: number;
  readonly texterRequestsPerMinute: number;
  readonly refusedPerMinute: number;
}

type HttpEnvironment = { readonly [Name in keyof typeof httpEnvironment]: z.output<(typeof httpEnvironment)[Name]> };

export function toHttpConfig(env: HttpEnvironment): HttpConfig {
  return {
    host: env.BATON_HTTP_HOST,
    port: env.BATON_HTTP_PORT,
    corsOrigins: env.BATON_HTTP_CORS_ORIGINS,
    proxies: env.BATON_HTTP_PROXIES,
    bodyBytesMax: env.BATON_HTTP_BODY_BYTES_MAX,
    answerMsMax: env.BATON_HTTP_ANSWER_MS_MAX,
    connectionsMax: env.BATON_HTTP_CONNECTIONS_MAX,
    keyRequestsPerMinute: env.BATON_HTTP_REQUESTS_PER_MINUTE,
    texterRequestsPerMinute: env.BATON_HTTP_TEXTER_REQUESTS_PER_MINUTE,
    refusedPerMinute: env.BATON_HTTP_REFUSED_PER_MINUTE,
  };
}
