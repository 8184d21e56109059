import { importJWK, type CryptoKey, type JWK } from 'jose';
import { z } from 'zod';
import { Refusal } from '../domain/errors.ts';
import { parseWith } from '../domain/requests.ts';
import type { TokenAlgorithm, VerifyingKey } from './texter-token.ts';

/** An organisation replaces its keys one after the other, and has few at a time. */
const KEYS_MAX = 10;
const KEY_ID_CHARS_MAX = 100;
/** The numbers of a key of 4096 bits, in base64url. */
const NUMBER_CHARS_MAX = 700;
const RSA_CHARS_MIN = 342;

const common = {
  kid: z.string().min(1).max(KEY_ID_CHARS_MAX).describe('The id of the key. The header of each token names it.'),
  use: z.literal('sig').optional(),
};
const number = z
  .string()
  .regex(/^[A-Za-z0-9_-]+$/, { error: 'must be base64url' })
  .max(NUMBER_CHARS_MAX);

/** The fields of private and of secret keys. Nobody may send them. */
const PRIVATE_FIELDS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Key sets of common systems have further fields, such as certificates. */
const publicKey = <Shape extends z.ZodRawShape>(id: string, shape: Shape) =>
  z
    .looseObject({ ...common, ...shape })
    .refine((key) => !PRIVATE_FIELDS.some((field) => Object.hasOwn(key, field)), { error: 'must not be a private key' })
    .meta({ id });

const jwk = z.discriminatedUnion('kty', [
  publicKey('Ed25519Key', {
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    alg: z.literal('EdDSA').optional(),
    x: number,
  }),
  publicKey('P256Key', {
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    alg: z.literal('ES256').optional(),
    x: number,
    y: number,
  }),
  publicKey('RsaKey', {
    kty: z.literal('RSA'),
    alg: z.literal('RS256').optional(),
    n: number.min(RSA_CHARS_MIN, { error: 'must have at least 2048 bits' }),
    e: number,
  }),
]);

export const tokenKeySet = z.strictObject({
  keys: z
    .array(jwk)
    .max(KEYS_MAX)
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, { error: 'must not repeat a kid' })
    .describe('The public keys, as a JSON Web Key Set (RFC 7517). Without any, the organisation signs no tokens.'),
});

/** A public key of an organisation, with which it signs tokens of its texters. */
export interface TokenKey {
  readonly kid: string;
  readonly kty: keyof typeof KINDS;
  /** The numbers of the key, by their names in the key set. */
  readonly [field: string]: string;
}

/** The algorithm of each kind of key, and the fields that make the key. */
const KINDS = {
  OKP: { algorithm: 'EdDSA', fields: ['crv', 'x'] },
  EC: { algorithm: 'ES256', fields: ['crv', 'x', 'y'] },
  RSA: { algorithm: 'RS256', fields: ['n', 'e'] },
} as const satisfies Readonly<Record<string, { algorithm: TokenAlgorithm; fields: readonly string[] }>>;

export async function verifyingKey(key: TokenKey): Promise<VerifyingKey> {
  const { algorithm } = KINDS[key.kty];
  return { algorithm, key: (await importJWK(key as JWK, algorithm)) as CryptoKey };
}

/** Checks a set of public keys, and returns what is stored of it. Throws a `bad-request` refusal. */
export async function readTokenKeys(input: unknown): Promise<readonly TokenKey[]> {
  const { keys } = parseWith(tokenKeySet, input);
  return Promise.all(keys.map(async (key, at) => checkedKey(key, `keys.${at}`)));
}

async function checkedKey(key: z.output<typeof jwk>, path: string): Promise<TokenKey> {
  const { kid, kty } = key;
  const numbers = KINDS[kty].fields.map((field) => [field, String(key[field])]);
  const stored: TokenKey = { kid, kty, ...(Object.fromEntries(numbers) as Record<string, string>) };
  try {
    await verifyingKey(stored);
    return stored;
  } catch {
    const expected = `${path} must be a public key`;
    throw new Refusal('bad-request', { message: expected, expected, received: 'numbers that are no key' });
  }
}
