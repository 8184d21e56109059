import { createHmac } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { signToken, SigningKeys } from '../../src/access/index.ts';
import type { Harness } from './harness.ts';

const ISSUER = 'urn:baton:organisation:';
const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An organisation that signs tokens itself. */
export class TokenSigner {
  readonly publicKey: JWK;
  private readonly privateKey: CryptoKey;
  private readonly algorithm: string;

  private constructor(publicKey: JWK, privateKey: CryptoKey, algorithm: string) {
    this.publicKey = publicKey;
    this.privateKey = privateKey;
    this.algorithm = algorithm;
  }

  static async create(algorithm: 'EdDSA' | 'ES256' | 'RS256' = 'EdDSA', kid = `k-${algorithm}`): Promise<TokenSigner> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    return new TokenSigner({ ...(await exportJWK(publicKey)), kid }, privateKey, algorithm);
  }

  /** Signs the claims. Those that are left out are valid ones of the organisation `acme`; `undefined` leaves one out. */
  async sign(changes: Readonly<Record<string, unknown>> = {}, header: object = {}): Promise<string> {
    const nowS = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: `${ISSUER}acme`,
      aud: 'urn:baton:texters',
      sub: 't1',
      campaignId: 'c1',
      iat: nowS,
      exp: nowS + 600,
    };
    const { kid = '' } = this.publicKey;
    return new SignJWT({ ...claims, ...changes })
      .setProtectedHeader({ alg: this.algorithm, kid, ...header })
      .sign(this.privateKey);
  }
}

/** The claims of a token, signed by another algorithm: `none`, or HS256 with a text that everyone can read. */
export function resigned(token: string, algorithm: 'none' | 'HS256', secret = ''): string {
  const [head = '', payload = ''] = token.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
  const signed = `${base64url({ ...header, alg: algorithm })}.${payload}`;
  const signature = algorithm === 'none' ? '' : createHmac('sha256', secret).update(signed).digest('base64url');
  return `${signed}.${signature}`;
}

/** A token of the servers, as old as the test wants it. */
export async function serverToken(
  harness: Harness,
  subject: { readonly campaignId: string; readonly texterId: string; readonly organisationId?: string },
  ageS = 0,
): Promise<string> {
  const keys = new SigningKeys(harness.context);
  const at = new Date(Date.now() - ageS * 1_000);
  const full = { organisationId: 'default', tokenVersion: 0, ...subject };
  return signToken(full, await keys.current(), { at, seconds: 600 });
}
