import { DEFAULT_ORGANISATION, OF_ANOTHER_ORGANISATION } from '../domain/organisations.ts';
import { writeCanonicalPhones } from './canonical-phones.ts';
import { IN_ONE_BATCH, type Database } from './database.ts';
import type { CampaignDoc } from './documents.ts';

/** No campaign has a country yet, so national numbers stay as they are until `baton phones` runs. */
export async function writeAllPhones(database: Database, log: (line: string) => void): Promise<void> {
  await database.campaigns.updateMany({ country: { $exists: false } }, { $set: { country: null } });
  const found = database.models.campaigns.find({}, { country: 1 }, IN_ONE_BATCH);
  for (const { _id: campaignId, country } of await found.lean<Pick<CampaignDoc, '_id' | 'country'>[]>()) {
    const { rewritten, unreadable, sharedCount } = await writeCanonicalPhones(database, campaignId, country);
    if (rewritten + unreadable + sharedCount === 0) continue;
    log(
      `campaign ${campaignId}: ${rewritten} phone numbers rewritten, ${unreadable} cannot be read, ${sharedCount} are ` +
        `shared by several conversations; see \`baton phones ${campaignId}\``,
    );
  }
}

/** Every campaign of the versions before has a plain id, and so belongs to the default organisation. */
export async function giveToDefaultOrganisation(database: Database): Promise<void> {
  const $setOnInsert = { name: 'Default', createdAt: database.now() };
  await database.organisations.updateOne({ _id: DEFAULT_ORGANISATION }, { $setOnInsert }, { upsert: true });
  const plain = { organisationId: { $exists: false }, _id: { $not: OF_ANOTHER_ORGANISATION } };
  await database.campaigns.updateMany(plain, { $set: { organisationId: DEFAULT_ORGANISATION } });
}
