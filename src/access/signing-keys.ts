import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose';
import type { Clock } from '../domain/operation.ts';
import { DEFAULT_ORGANISATION } from '../domain/id-rules.ts';
import { recorded, type RecordDeps } from './recorded.ts';
import { TOKEN_S_MAX, TOKEN_TOLERANCE_S, type SigningKey, type VerifyingKey } from './texter-token.ts';

/** A key of the servers. Only the newest one has its private part. */
export interface StoredSigningKey {
  readonly kid: string;
  /** The `x` of an Ed25519 key. */
  readonly publicPart: string;
  /** The `d` of an Ed25519 key. */
  readonly privatePart: string | null;
  readonly createdAt: Date;
  /** When a newer key took its place. Its tokens stay valid until they expire. */
  readonly retiredAt: Date | null;
}

/** The keys of all servers, newest first. There is always one after the first {@link SigningKeyStore.create}. */
export interface SigningKeyStore {
  read(): Promise<readonly StoredSigningKey[]>;
  /** Stores the first key, unless there is one. */
  create(key: StoredSigningKey): Promise<void>;
  /** Replaces all keys, if `newest` is still the newest one. Returns false otherwise. */
  replace(newest: string, keys: readonly StoredSigningKey[]): Promise<boolean>;
}

/** How long a server uses keys before it reads them again. A dropped key is not accepted after this time. */
const KEPT_MS = 5_000;
const MS_PER_S = 1_000;
const ROTATIONS_MAX = 20;
/** A retired key is dropped when the last token that it has signed has expired. */
const RETIRED_KEPT_MS = (TOKEN_S_MAX + TOKEN_TOLERANCE_S) * MS_PER_S + 2 * KEPT_MS;

interface LoadedKeys {
  readonly signing: SigningKey;
  readonly verifying: ReadonlyMap<string, VerifyingKey>;
  readonly until: number;
}

/** The keys with which one server signs tokens and checks those that any server has signed. */
export class SigningKeys {
  private readonly deps: { readonly signingKeys: SigningKeyStore; readonly clock: Clock };
  private loaded: LoadedKeys | undefined;

  constructor(deps: { readonly signingKeys: SigningKeyStore; readonly clock: Clock }) {
    this.deps = deps;
  }

  async current(): Promise<SigningKey> {
    return (await this.fresh()).signing;
  }

  /** Reads the keys again for an unknown id: another server may have signed with a newer key. */
  async find(kid: string): Promise<VerifyingKey | undefined> {
    const { verifying } = await this.fresh();
    return verifying.get(kid) ?? (await this.load()).verifying.get(kid);
  }

  private async fresh(): Promise<LoadedKeys> {
    return this.loaded && this.loaded.until > performance.now() ? this.loaded : this.load();
  }

  private async load(): Promise<LoadedKeys> {
    const until = performance.now() + KEPT_MS;
    const [newest, ...older] = await this.stored();
    const keys = [newest, ...older];
    const verifying = await Promise.all(keys.map(async (key) => [key.kid, await toVerifyingKey(key)] as const));
    const signing = { kid: newest.kid, key: await toCryptoKey(newest) };
    this.loaded = { signing, verifying: new Map(verifying), until };
    return this.loaded;
  }

  private async stored(): Promise<readonly [StoredSigningKey, ...StoredSigningKey[]]> {
    const { signingKeys, clock } = this.deps;
    const found = await signingKeys.read();
    if (found.length === 0) await signingKeys.create(await newSigningKey(clock.now()));
    const [newest, ...older] = found.length === 0 ? await signingKeys.read() : found;
    if (!newest) throw new Error('the database has no signing key right after it was created');
    return [newest, ...older];
  }
}

/**
 * Replaces the signing key of all servers. The tokens of the key before stay valid until they expire; `drop` makes them
 * invalid within seconds instead. Returns the id of the newest key.
 */
export async function rotateSigningKey(
  deps: RecordDeps & { readonly signingKeys: SigningKeyStore },
  { drop }: { readonly drop: boolean },
): Promise<string> {
  const { signingKeys, clock } = deps;
  const key = await newSigningKey(clock.now());
  const scope = { organisationId: DEFAULT_ORGANISATION, campaignId: null, subjectIds: [key.kid] };
  return recorded(deps, { ...scope, kind: 'signing-key-rotated', values: { drop } }, async () => {
    // Another rotation may come first. This one repeats then, because it may have to drop the keys.
    for (let attempt = 1; attempt <= ROTATIONS_MAX; attempt += 1) {
      await signingKeys.create(key);
      const found = await signingKeys.read();
      const [newest] = found;
      if (newest?.kid === key.kid) return key.kid;
      const kept = drop ? [] : found.map((each) => retired(each, key.createdAt)).filter(isNeededAt(key.createdAt));
      if (newest && (await signingKeys.replace(newest.kid, [key, ...kept]))) return key.kid;
    }
    throw new Error('other processes replace the signing key all the time');
  });
}

async function newSigningKey(createdAt: Date): Promise<StoredSigningKey> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(privateKey);
  const { x = '', d = '' } = jwk;
  return { kid: await calculateJwkThumbprint(jwk), publicPart: x, privatePart: d, createdAt, retiredAt: null };
}

function retired(key: StoredSigningKey, at: Date): StoredSigningKey {
  return { ...key, privatePart: null, retiredAt: key.retiredAt ?? at };
}

const isNeededAt =
  (at: Date) =>
  ({ retiredAt }: StoredSigningKey): boolean =>
    retiredAt === null || at.getTime() - retiredAt.getTime() < RETIRED_KEPT_MS;

async function toVerifyingKey(key: StoredSigningKey): Promise<VerifyingKey> {
  return { algorithm: 'EdDSA', key: await toCryptoKey({ ...key, privatePart: null }) };
}

async function toCryptoKey({ publicPart, privatePart }: StoredSigningKey): Promise<CryptoKey> {
  const jwk: JWK = { kty: 'OKP', crv: 'Ed25519', x: publicPart, ...(privatePart !== null && { d: privatePart }) };
  return (await importJWK(jwk, 'EdDSA')) as CryptoKey;
}
