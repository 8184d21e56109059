import type { Database } from '../mongo/database.ts';
import type { SigningKeysDoc } from '../mongo/documents.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import type { SigningKeyStore, StoredSigningKey } from './signing-keys.ts';

/** All keys are in one document, so that each change of them is one write. */
const ID = 'texter-tokens';

export class MongoSigningKeyStore implements SigningKeyStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async read(): Promise<readonly StoredSigningKey[]> {
    const doc = await this.database.models.signingKeys.findById(ID, { keys: 1 }).lean<SigningKeysDoc>();
    return doc?.keys ?? [];
  }

  async create(key: StoredSigningKey): Promise<void> {
    try {
      await this.database.models.signingKeys.updateOne(
        { _id: ID },
        { $setOnInsert: { keys: [key] } },
        { upsert: true },
      );
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  }

  async replace(newest: string, keys: readonly StoredSigningKey[]): Promise<boolean> {
    const filter = { _id: ID, 'keys.0.kid': newest };
    const { matchedCount } = await this.database.models.signingKeys.updateOne(filter, { $set: { keys: [...keys] } });
    return matchedCount === 1;
  }
}
