import { DEFAULT_ORGANISATION } from '../domain/organisations.ts';
import type { Database } from './database.ts';

/** Every campaign of the versions before has a plain id, and so belongs to the default organisation. */
export async function giveToDefaultOrganisation(database: Database): Promise<void> {
  const $setOnInsert = { name: 'Default', createdAt: database.now() };
  await database.organisations.updateOne({ _id: DEFAULT_ORGANISATION }, { $setOnInsert }, { upsert: true });
  const plain = { organisationId: { $exists: false }, _id: { $not: /~/ } };
  await database.campaigns.updateMany(plain, { $set: { organisationId: DEFAULT_ORGANISATION } });
}
