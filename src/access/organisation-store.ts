import { Refusal } from '../domain/errors.ts';
import { shownId } from '../domain/safe-text.ts';
import { IN_ONE_BATCH, type Database } from '../mongo/database.ts';
import type { OrganisationDoc } from '../mongo/documents.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import type { Organisation } from './organisation.ts';
import type { OrganisationStore } from './ports.ts';
import type { TokenKey } from './token-key.ts';

export class MongoOrganisationStore implements OrganisationStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async insert({ organisationId, name, createdAt }: Organisation): Promise<void> {
    try {
      await this.database.models.organisations.create({ _id: organisationId, name, createdAt });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new Refusal('organisation-exists', {
        message: `organisation ${shownId(organisationId)} already exists`,
        expected: 'an id that no organisation has',
        received: shownId(organisationId),
      });
    }
  }

  async find(organisationId: string): Promise<Organisation | undefined> {
    const found = this.database.models.organisations.findById(organisationId, { name: 1, createdAt: 1 });
    const doc = await found.lean<OrganisationDoc>();
    return doc ? toOrganisation(doc) : undefined;
  }

  async list(): Promise<Organisation[]> {
    const found = this.database.models.organisations.find({}, { name: 1, createdAt: 1 }, IN_ONE_BATCH);
    return (await found.sort({ _id: 1 }).lean<OrganisationDoc[]>()).map(toOrganisation);
  }

  async tokenKeys(organisationId: string): Promise<readonly TokenKey[]> {
    const found = this.database.models.organisations.findById(organisationId, { tokenKeys: 1 });
    return (await found.lean<OrganisationDoc>())?.tokenKeys ?? [];
  }

  async setTokenKeys(organisationId: string, keys: readonly TokenKey[]): Promise<void> {
    await this.database.models.organisations.updateOne({ _id: organisationId }, { $set: { tokenKeys: keys } });
  }
}

function toOrganisation({ _id, name, createdAt }: OrganisationDoc): Organisation {
  return { organisationId: _id, name, createdAt };
}
