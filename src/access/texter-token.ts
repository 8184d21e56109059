import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, SignJWT, type CryptoKey } from 'jose';
import { z } from 'zod';
import { organisationId, outsideId, texterId } from '../domain/ids.ts';

/** The longest life of a token, also of one that an organisation has signed itself. */
export const TOKEN_S_MAX = 15 * 60;
/** How far the clocks of servers may differ. */
export const TOKEN_TOLERANCE_S = 30;
/** The audience of every token. A token that the organisation has made for another service has another one. */
export const TOKEN_AUDIENCE = 'urn:baton:texters';
export const SERVER_ISSUER = 'urn:baton:server';
const ORGANISATION_ISSUER = 'urn:baton:organisation:';
const TOKEN_CHARS_MAX = 4_096;
const MS_PER_S = 1_000;

/** The algorithms of tokens. `none` and every algorithm with a shared secret are missing. */
export const TOKEN_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

/** What a token says: the texter who has it. The ids are those that the organisation knows. */
export interface TokenSubject {
  readonly organisationId: string;
  readonly campaignId: string;
  readonly texterId: string;
  /** Must be the number that is stored with the texter: revoking the tokens of a texter adds 1 to it. */
  readonly tokenVersion: number;
}

/** A private key and its id. Servers sign with EdDSA only. */
export interface SigningKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** A public key with the one algorithm that it is for. A token cannot choose another algorithm. */
export interface VerifyingKey {
  readonly algorithm: TokenAlgorithm;
  readonly key: CryptoKey;
}

export interface VerifyingKeys {
  ofServer(kid: string): Promise<VerifyingKey | undefined>;
  ofOrganisation(organisationId: string, kid: string): Promise<VerifyingKey | undefined>;
}

export interface Lifetime {
  readonly at: Date;
  readonly seconds: number;
}

export function signToken(subject: TokenSubject, { kid, key }: SigningKey, { at, seconds }: Lifetime): Promise<string> {
  const issuedAtS = Math.floor(at.getTime() / MS_PER_S);
  const { organisationId: organisation, campaignId, tokenVersion } = subject;
  return new SignJWT({ organisationId: organisation, campaignId, tokenVersion })
    .setProtectedHeader({ alg: 'EdDSA', kid })
    .setIssuer(SERVER_ISSUER)
    .setAudience(TOKEN_AUDIENCE)
    .setSubject(subject.texterId)
    .setIssuedAt(issuedAtS)
    .setExpirationTime(issuedAtS + seconds)
    .sign(key);
}

/** The number may be missing in a token of an organisation: then it is that of a texter whose tokens were never revoked. */
const claims = z.object({
  sub: texterId,
  campaignId: outsideId('the campaign'),
  organisationId: organisationId.optional(),
  tokenVersion: z.int().min(0).default(0),
  iat: z.int(),
  exp: z.int(),
});

/** Returns what a token says, or why it is not valid. A token that has expired was valid otherwise. */
export async function readToken(
  text: string,
  keys: VerifyingKeys,
  at: Date,
): Promise<TokenSubject | 'expired' | 'refused'> {
  if (text.length > TOKEN_CHARS_MAX) return 'refused';
  try {
    return await verified(text, keys, at);
  } catch (error) {
    if (error instanceof errors.JWTExpired) return 'expired';
    if (error instanceof errors.JOSEError || error instanceof TypeError) return 'refused';
    throw error;
  }
}

async function verified(text: string, keys: VerifyingKeys, at: Date): Promise<TokenSubject | 'refused'> {
  const issuer = issuerOf(decodeJwt(text).iss);
  const { kid } = decodeProtectedHeader(text);
  if (issuer === undefined || kid === undefined) return 'refused';
  const found = issuer.isServer ? await keys.ofServer(kid) : await keys.ofOrganisation(issuer.organisationId, kid);
  if (!found) return 'refused';
  const { payload } = await jwtVerify(text, found.key, {
    algorithms: [found.algorithm],
    audience: TOKEN_AUDIENCE,
    requiredClaims: ['iat', 'exp', 'sub'],
    clockTolerance: TOKEN_TOLERANCE_S,
    maxTokenAge: TOKEN_S_MAX,
    currentDate: at,
  });
  const { success, data } = claims.safeParse(payload);
  if (!success || data.exp - data.iat > TOKEN_S_MAX) return 'refused';
  const owner = issuer.isServer ? data.organisationId : issuer.organisationId;
  if (owner === undefined) return 'refused';
  return { organisationId: owner, campaignId: data.campaignId, texterId: data.sub, tokenVersion: data.tokenVersion };
}

type Issuer = { readonly isServer: true } | { readonly isServer: false; readonly organisationId: string };

/** Reads the issuer before the signature is checked: it only says whose key must have signed. */
function issuerOf(text: string | undefined): Issuer | undefined {
  if (text === SERVER_ISSUER) return { isServer: true };
  if (!text?.startsWith(ORGANISATION_ISSUER)) return undefined;
  const id = organisationId.safeParse(text.slice(ORGANISATION_ISSUER.length));
  return id.success ? { isServer: false, organisationId: id.data } : undefined;
}
