import { Refusal } from '../domain/errors.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { ApiKeyDoc } from '../mongo/documents.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { LIVE_KEYS_MAX, SCOPES, type ApiKey, type StoredKey } from './organisation.ts';
import type { KeyStore } from './ports.ts';

export class MongoKeyStore implements KeyStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** A unique index lets one live key of an app have each slot. */
  async insert({ keyId, scopes, ...key }: StoredKey): Promise<void> {
    for (let slot = 1; slot <= LIVE_KEYS_MAX; slot += 1) {
      try {
        await this.database.models.apiKeys.create({ _id: keyId, ...key, scopes: [...scopes], slot });
        return;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    }
    throw new Refusal('too-many-keys', {
      message: `the app has ${LIVE_KEYS_MAX} live keys already: revoke one of them`,
      expected: `fewer than ${LIVE_KEYS_MAX} live keys`,
      received: `${LIVE_KEYS_MAX} live keys`,
    });
  }

  async find(keyId: string): Promise<StoredKey | undefined> {
    const doc = await this.database.models.apiKeys.findById(keyId).lean<ApiKeyDoc>();
    return doc ? { ...toKey(doc), hash: doc.hash } : undefined;
  }

  async list(organisationId: string): Promise<ApiKey[]> {
    const found = this.database.models.apiKeys.find({ organisationId }, { hash: 0 }, IN_ONE_BATCH);
    return (await found.sort({ createdAt: 1 }).lean<ApiKeyDoc[]>()).map(toKey);
  }

  async revoke(keyId: string, at: Date): Promise<ApiKey | undefined> {
    const { apiKeys } = this.database.models;
    await apiKeys.updateOne({ _id: keyId, revokedAt: null }, { $set: { revokedAt: at }, $unset: { slot: '' } });
    const doc = await apiKeys.findById(keyId, { hash: 0 }).lean<ApiKeyDoc>();
    return doc ? toKey(doc) : undefined;
  }
}

/** Scopes of a newer version are left out. */
function toKey({ _id, organisationId, name, scopes, createdAt, createdBy, revokedAt }: ApiKeyDoc): ApiKey {
  const known = SCOPES.filter((scope) => scopes.includes(scope));
  return { keyId: _id, organisationId, name, scopes: known, createdAt, createdBy, revokedAt };
}
