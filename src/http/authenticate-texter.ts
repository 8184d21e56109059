import type { FastifyReply, FastifyRequest } from 'fastify';
import { readToken, SigningKeys, verifyingKey, type VerifyingKeys } from '../access/index.ts';
import type { Context } from '../context.ts';
import { toStoredId } from '../domain/id-rules.ts';
import type { HttpConfig } from '../http-config.ts';
import type { ResourceReads, Resources } from './access.ts';
import { bearerOf, type TexterCaller } from './authenticate.ts';
import type { Gate } from './gate.ts';
import { HttpProblem } from './problem.ts';
import { countAgainstLimit } from './rate-limit.ts';

export interface TexterDeps {
  readonly config: Pick<HttpConfig, 'texterRequestsPerMinute'>;
  readonly context: Context;
  readonly reads: Pick<ResourceReads, 'campaigns'>;
  readonly gate: Gate;
  readonly tokenKeys: VerifyingKeys;
}

/** A texter, with the campaign and the texter of the token. */
export interface AuthenticatedTexter {
  readonly caller: TexterCaller;
  readonly resources: Required<Pick<Resources, 'campaign' | 'texter'>>;
}

/**
 * Returns the texter with this token, and counts the request. Throws a problem for a token that is not valid, was revoked, or
 * names a texter who is not on the campaign any more. A paused texter is authenticated: the rules decide what a pause allows.
 */
export async function authenticateTexter(
  { config, context, reads, gate, tokenKeys }: TexterDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<AuthenticatedTexter> {
  const subject = await readToken(bearerOf(request), tokenKeys, context.clock.now());
  if (typeof subject === 'string') throw subject === 'expired' ? expiredToken() : refusedToken();
  const { organisationId, texterId } = subject;
  // With the version, a revoked token in other hands uses up nothing of the texter's own limit.
  const passed = await gate.pass(`texter:${organisationId}:${texterId}:${subject.tokenVersion}`);
  countAgainstLimit(reply, passed, config.texterRequestsPerMinute);
  const campaignId = toStoredId(organisationId, subject.campaignId);
  const { texters } = context.stores;
  const [campaign, texter, tokenVersion] = await Promise.all([
    reads.campaigns.find(campaignId),
    texters.find(campaignId, texterId),
    texters.tokenVersion(campaignId, texterId),
  ]);
  if (!campaign || !texter || tokenVersion !== subject.tokenVersion) throw refusedToken();
  return { caller: { organisationId, campaignId, texterId }, resources: { campaign, texter } };
}

/**
 * Where the public keys are. The set of an organisation is stored, and never fetched from an address that it names: the
 * server sends no requests for others, and a token can be checked while the organisation's own servers are away.
 */
export function tokenKeysOf(context: Context): { readonly serverKeys: SigningKeys; readonly tokenKeys: VerifyingKeys } {
  const serverKeys = new SigningKeys(context);
  const tokenKeys: VerifyingKeys = {
    ofServer: (kid) => serverKeys.find(kid),
    ofOrganisation: async (organisationId, kid) => {
      const keys = await context.organisations.tokenKeys(organisationId);
      const found = keys.find((key) => key.kid === kid);
      return found && verifyingKey(found);
    },
  };
  return { serverKeys, tokenKeys };
}

/** An unknown key, a wrong signature, a revoked token and a texter who was removed have the same answer. */
function refusedToken(): HttpProblem {
  return new HttpProblem('token-refused', {
    message: 'the token is not a valid token of a texter, or was revoked',
    expected: 'a token of a texter who is on the campaign',
    received: 'another text',
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
}

function expiredToken(): HttpProblem {
  return new HttpProblem('token-expired', {
    message: 'the token has expired; get a new one',
    expected: 'a token that has not expired',
    received: 'an expired token',
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
}
