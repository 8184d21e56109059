import { z } from 'zod';
import { setTokenKeys, signToken, TOKEN_S_MAX, tokenKeySet } from '../../access/index.ts';
import { revokeTokens } from '../../campaigns/index.ts';
import { unknownTexter } from '../../domain/errors.ts';
import { toOutsideId } from '../../domain/id-rules.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { actorOf, callerOf } from '../authenticate.ts';
import { answer, problems } from '../document.ts';
import type { HttpServices } from '../services.ts';
import { actorOnly, instant, texterParams } from '../shapes.ts';

const MS_PER_S = 1_000;
const LIFETIME_S_MIN = 10;

const request = z
  .strictObject({
    seconds: z
      .int()
      .min(LIFETIME_S_MIN)
      .max(TOKEN_S_MAX)
      .default(TOKEN_S_MAX)
      .describe('How long the token is valid, in seconds.'),
  })
  .default({ seconds: TOKEN_S_MAX })
  .meta({ id: 'TokenRequest', examples: [{ seconds: 600 }] });
const token = z
  .object({
    token: z.string().describe('Sent by the texter as `Authorization: Bearer TOKEN`. A secret: it is in no log.'),
    expiresAt: instant,
    campaignId: z.string(),
    texterId: z.string(),
  })
  .meta({ id: 'Token' });
const revoked = z
  .object({ tokenVersion: z.int().describe('The `tokenVersion` of tokens that the organisation signs from now on.') })
  .meta({ id: 'RevokedTokens' });

const KEY = { kty: 'OKP', crv: 'Ed25519', kid: '2026-11', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const keys = tokenKeySet.meta({ id: 'TokenKeys', examples: [{ keys: [KEY] }] });

/** Tokens of texters: issue and revoke them, and register the keys with which an organisation signs tokens itself. */
export function addTokenRoutes(app: App, services: HttpServices): void {
  addIssue(app, services);
  addRevoke(app, services);
  addKeys(app, services);
}

function addIssue(app: App, { context, serverKeys }: HttpServices): void {
  app.post(
    '/v1/campaigns/:campaignId/texters/:texterId/tokens',
    {
      config: { access: { for: 'key', scope: 'texters:token', chain: ['campaign', 'texter'] } },
      schema: {
        operationId: 'issueToken',
        tags: ['Tokens'],
        summary: 'Issue a token with which a texter uses the operations under /v1/me',
        params: texterParams,
        body: request,
        response: { 201: answer('The token.', token), ...problems(404) },
      },
    },
    async (received, reply) => {
      const { campaignId } = required(received.resources.campaign);
      const { texterId } = required(received.resources.texter);
      const tokenVersion = await context.stores.texters.tokenVersion(campaignId, texterId);
      if (tokenVersion === undefined) throw unknownTexter(texterId);
      const { organisationId } = callerOf(received);
      const { seconds } = received.body;
      const at = context.clock.now();
      const subject = { organisationId, campaignId: toOutsideId(campaignId), texterId, tokenVersion };
      const text = await signToken(subject, await serverKeys.current(), { at, seconds });
      const expiresAt = new Date((Math.floor(at.getTime() / MS_PER_S) + seconds) * MS_PER_S);
      return reply.status(201).send({ token: text, expiresAt, campaignId: subject.campaignId, texterId });
    },
  );
}

function addRevoke(app: App, { context }: HttpServices): void {
  app.post(
    '/v1/campaigns/:campaignId/texters/:texterId/tokens/revoke',
    {
      config: { access: { for: 'key', scope: 'texters:token', chain: ['campaign', 'texter'] } },
      schema: {
        operationId: 'revokeTokens',
        tags: ['Tokens'],
        summary: 'Revoke all tokens of a texter at once, also those that the organisation has signed',
        params: texterParams,
        body: actorOnly,
        response: { 200: answer('The tokens are revoked.', revoked), ...problems(404) },
      },
    },
    async (received) => {
      const { campaignId } = required(received.resources.campaign);
      const { texterId } = required(received.resources.texter);
      const deps = { ...context, actor: actorOf(received, received.body?.actorId) };
      return { tokenVersion: await revokeTokens(deps, campaignId, texterId) };
    },
  );
}

function addKeys(app: App, { context }: HttpServices): void {
  app.get(
    '/v1/token-keys',
    {
      config: { access: { for: 'key', scope: 'read', chain: [] } },
      schema: {
        operationId: 'getTokenKeys',
        tags: ['Tokens'],
        summary: 'Read the public keys with which the organisation signs tokens of its texters',
        response: { 200: answer('The keys.', keys) },
      },
    },
    async (received) => {
      const found = await context.organisations.tokenKeys(callerOf(received).organisationId);
      return { keys: [...found] } as z.output<typeof keys>;
    },
  );
  app.put(
    '/v1/token-keys',
    {
      config: { access: { for: 'key', scope: 'organisation:write', chain: [] } },
      schema: {
        operationId: 'setTokenKeys',
        tags: ['Tokens'],
        summary:
          'Replace the public keys with which the organisation signs tokens of its texters; takes effect at once',
        body: keys,
        response: { 200: answer('The keys as they are stored.', keys) },
      },
    },
    async (received) => {
      const deps = { ...context, actor: actorOf(received) };
      const stored = await setTokenKeys(deps, callerOf(received).organisationId, received.body);
      return { keys: [...stored] } as z.output<typeof keys>;
    },
  );
}
