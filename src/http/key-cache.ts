import type { KeyStore, StoredKey } from '../access/index.ts';

/** A key is read again after this time, also if its version in Redis got lost. */
const KEPT_MS = 5_000;
const KEPT_MAX = 10_000;

interface Kept {
  readonly key: StoredKey;
  readonly version: string;
  readonly until: number;
}

/** The keys that this server has read. Saves a read of the database for each request. */
export class KeyCache {
  private readonly kept = new Map<string, Kept>();
  private readonly keys: KeyStore;
  private readonly readVersion: () => Promise<string>;

  constructor(keys: KeyStore, readVersion: () => Promise<string>) {
    this.keys = keys;
    this.readVersion = readVersion;
  }

  /** Returns a key that may be out of date: compare its version with the one in Redis. */
  async find(keyId: string): Promise<Kept | undefined> {
    const kept = this.kept.get(keyId);
    if (kept && kept.until > performance.now()) return kept;
    return this.read(keyId);
  }

  /** Returns false for a key that was revoked meanwhile. */
  async isLive(keyId: string): Promise<boolean> {
    const version = await this.readVersion();
    const kept = await this.find(keyId);
    const current = kept?.version === version ? kept : await this.read(keyId);
    return current?.key.revokedAt === null;
  }

  /** Reads the version before the key, so that a key which is revoked meanwhile has an old version. */
  async read(keyId: string): Promise<Kept | undefined> {
    const version = await this.readVersion();
    const key = await this.keys.find(keyId);
    this.kept.delete(keyId);
    if (!key) return undefined;
    const [oldest] = this.kept.keys();
    if (oldest !== undefined && this.kept.size >= KEPT_MAX) this.kept.delete(oldest);
    const kept = { key, version, until: performance.now() + KEPT_MS };
    this.kept.set(keyId, kept);
    return kept;
  }
}
