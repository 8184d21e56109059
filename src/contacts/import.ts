import { badHeader, readHeader } from './columns.ts';
import type { ContactStore } from './contact.ts';
import { RowImport, type FileRecord, type ImportResult } from './row-import.ts';
import { ContactReader, type ReaderParts } from './row.ts';
import {
  checkedCountry,
  findCampaign,
  TexterWords,
  type Campaign,
  type CampaignStore,
  type TexterStore,
} from '../campaigns/index.ts';
import type { Clock } from '../domain/operation.ts';
import { campaignClosed } from '../domain/errors.ts';

export type { FileRecord, ImportResult } from './row-import.ts';

export interface ImportDeps {
  readonly stores: { readonly campaigns: CampaignStore; readonly texters: TexterStore };
  readonly contacts: ContactStore;
  readonly clock: Clock;
}

export interface ImportOptions {
  /** The country of phone numbers without a country code. Default: the country of the campaign. */
  readonly country?: string | undefined;
  /**
   * For a migration from another system: gives conversations to paused texters too, and those of opted-out contacts to
   * their assignees. Default: false.
   */
  readonly keepAssignees?: boolean | undefined;
  /** Accepts several phone numbers with one external id, such as the members of a household. Default: false. */
  readonly sharedIds?: boolean | undefined;
}

/**
 * Adds the contacts of a file to a campaign while the file is read. The first record is the header line. Bad rows are
 * rejected, and the other rows are added. A contact that exists can be opted out, and does not change in another way. Safe
 * to repeat.
 */
export async function importContacts(
  deps: ImportDeps,
  campaignId: string,
  records: AsyncIterable<readonly FileRecord[]>,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const campaign = await findCampaign(deps.stores, campaignId);
  if (campaign.closed) throw campaignClosed(campaignId);
  const at = deps.clock.now();
  const parts = await readerParts(deps, campaign, options, at);
  const { keepsAssignees } = parts;
  const sharesIds = options.sharedIds ?? false;
  let rows: RowImport | undefined;
  try {
    for await (const some of records) {
      for (const record of some) {
        if (rows) await rows.add(record);
        else {
          const reader = new ContactReader(readHeader(headerCells(record)), parts);
          rows = new RowImport({ contacts: deps.contacts, campaignId, at, keepsAssignees, sharesIds }, reader);
        }
      }
    }
    if (!rows) throw badHeader('the file is empty; it must start with a header line', 'an empty file');
    return await rows.finish();
  } finally {
    await rows?.stop();
  }
}

async function readerParts(
  { stores }: ImportDeps,
  { campaignId, country: ofCampaign }: Campaign,
  { country: wanted, keepAssignees = false }: ImportOptions,
  at: Date,
): Promise<ReaderParts> {
  const country = wanted === undefined ? ofCampaign : await checkedCountry(wanted);
  const texters = new TexterWords(await stores.texters.list(campaignId));
  const { readPhone } = await import('../domain/phone.ts');
  return { texters, readPhone: (text) => readPhone(text, country), at, keepsAssignees: keepAssignees };
}

function headerCells(record: FileRecord): readonly string[] {
  if ('cells' in record) return record.cells;
  throw badHeader(`the header line cannot be read: ${record.problem}`, record.problem);
}
