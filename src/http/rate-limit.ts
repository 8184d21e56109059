import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpConfig } from '../http-config.ts';
import type { Gate, Passed } from './gate.ts';
import { HttpProblem } from './problem.ts';

const MS_PER_S = 1_000;
const WINDOW_S = 60;

/** Sets the headers of the limit. Throws a problem when the caller has sent too many requests in this minute. */
export function countAgainstLimit(
  reply: FastifyReply,
  { count, leftMs }: Passed,
  requestsPerMinute: number,
  policy: 'default' | 'refused' = 'default',
): void {
  const leftS = Math.max(1, Math.ceil(leftMs / MS_PER_S));
  const remaining = Math.max(0, requestsPerMinute - count);
  void reply.header('ratelimit-policy', `"${policy}";q=${requestsPerMinute};w=${WINDOW_S}`);
  void reply.header('ratelimit', `"${policy}";r=${remaining};t=${leftS}`);
  if (count <= requestsPerMinute) return;
  throw new HttpProblem('rate-limited', {
    message: `more than ${requestsPerMinute} ${policy === 'refused' ? 'refused ' : ''}requests in a minute; send the request again in ${leftS} s`,
    expected: `at most ${requestsPerMinute} requests in a minute`,
    received: 'more',
    headers: { 'retry-after': String(leftS) },
  });
}

export interface RefusedDeps {
  readonly config: Pick<HttpConfig, 'refusedPerMinute'>;
  readonly gate: Gate;
}

/** Counts a request whose key or token was refused. Many people can share an address, so valid requests are not counted. */
export async function countRefused(
  { config, gate }: RefusedDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const passed = await gate.pass(`address:${addressKey(request.ip)}`);
  countAgainstLimit(reply, passed, config.refusedPerMinute, 'refused');
}

const HASH_CHARS = 22;
/** A provider gives each customer a network of this size, so one client has all its addresses. */
const IPV6_NETWORK_GROUPS = 4;

/** Redis gets no address of a person, but a hash that it keeps for a minute. */
export function addressKey(address: string): string {
  const network = isIPv6(address) ? networkOf(address) : address;
  return createHash('sha256').update(network).digest('base64url').slice(0, HASH_CHARS);
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const all = tail === undefined ? before : [...before, ...zeros, ...after];
  return all
    .slice(0, IPV6_NETWORK_GROUPS)
    .map((group) => Number.parseInt(group, 16))
    .join(':');
}
