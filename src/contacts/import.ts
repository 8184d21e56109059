import type { ContactStore } from './contact.ts';
import { mapColumns, missingFields, type ColumnMapping, type MappingChoices } from './mapping.ts';
import { emptyFile, noConsentColumn, noHeader } from './mapping-refusals.ts';
import { phoneReader } from './cell-values.ts';
import { RowImport, type ImportResult, type RowImportParts } from './row-import.ts';
import { ContactReader } from './row.ts';
import type { ContactSource } from './source.ts';
import { doubtedPhones, survey, type Survey } from './survey.ts';
import {
  checkedCountry,
  findCampaign,
  TexterWords,
  type Campaign,
  type CampaignStore,
  type TexterStore,
} from '../campaigns/index.ts';
import type { Clock } from '../domain/operation.ts';
import { campaignClosed, type Refusal } from '../domain/errors.ts';

export type { ImportResult } from './row-import.ts';

export interface ImportDeps {
  readonly stores: { readonly campaigns: CampaignStore; readonly texters: TexterStore };
  readonly contacts: ContactStore;
  readonly clock: Clock;
}

export interface ImportOptions extends MappingChoices {
  /** The country of phone numbers without a country code. Default: the country of the campaign. */
  readonly country?: string | undefined;
  /**
   * For a migration from another system: gives conversations to paused texters too, and those of opted-out contacts to
   * their assignees. Default: false.
   */
  readonly keepAssignees?: boolean | undefined;
  /** Accepts several phone numbers with one external id, such as the members of a household. Default: false. */
  readonly sharedIds?: boolean | undefined;
  /** Takes the good rows of a source although many of its phone numbers are bad. Default: false. */
  readonly acceptRejected?: boolean | undefined;
  /** Gets each rejected row, so that it can be corrected. */
  readonly onRejected?: RowImportParts['onRejected'];
  /** Stops the import: the rows that were read are written, the others are not read. */
  readonly signal?: AbortSignal | undefined;
}

/** How the columns of a source are understood. */
export interface ImportPreview {
  readonly country: string | null;
  readonly mapping: ColumnMapping;
  readonly survey: Survey;
  /** Why an import would be refused. */
  readonly refusal: Refusal | undefined;
}

/** Reads a source as an import does, and writes nothing. Throws a refusal if its columns cannot be read. */
export async function previewImport(
  deps: ImportDeps,
  campaignId: string,
  source: ContactSource,
  options: ImportOptions = {},
): Promise<ImportPreview> {
  const { country, reader } = await prepare(deps, campaignId, source, options);
  return previewWith(source, reader, country, options);
}

export interface ImportEnd extends ImportResult {
  readonly preview: ImportPreview;
  /** True when a person has stopped the import before its end. */
  readonly isStopped: boolean;
}

/**
 * Adds the contacts of a source to a campaign. Reads all rows first: if the source as a whole is doubtful, it is refused, and
 * nothing has changed. Then bad rows are rejected, and the other rows are added. A contact that exists can be opted out, and
 * does not change in another way. Safe to repeat.
 */
export async function importContacts(
  deps: ImportDeps,
  campaignId: string,
  source: ContactSource,
  options: ImportOptions = {},
): Promise<ImportEnd> {
  const { country, reader, at } = await prepare(deps, campaignId, source, options);
  const preview = await previewWith(source, reader, country, options);
  const { signal, onRejected, keepAssignees: keepsAssignees = false, sharedIds: sharesIds = false } = options;
  if (preview.refusal) throw preview.refusal;
  const rows = new RowImport(
    { contacts: deps.contacts, campaignId, at, keepsAssignees, sharesIds, onRejected },
    reader,
  );
  try {
    let isStopped = !preview.survey.isComplete;
    if (!isStopped) isStopped = await addAll(rows, source, signal);
    return { ...(await rows.finish()), preview, isStopped };
  } finally {
    await rows.stop();
  }
}

/** Returns true when it was stopped before the end. */
async function addAll(rows: RowImport, source: ContactSource, signal: AbortSignal | undefined): Promise<boolean> {
  for await (const some of source.rows()) {
    for (const row of some) {
      if (signal?.aborted) return true;
      await rows.add(row);
    }
  }
  return false;
}

interface Prepared {
  readonly country: string | null;
  readonly reader: ContactReader;
  readonly at: Date;
}

async function prepare(
  { stores, clock }: ImportDeps,
  campaignId: string,
  { columns }: ContactSource,
  options: ImportOptions,
): Promise<Prepared> {
  const campaign = await findCampaign(stores, campaignId);
  if (campaign.closed) throw campaignClosed(campaignId);
  const missing = missingFields(columns, options);
  if (missing.length > 0) throw noHeader(missing, columns);
  const mapping = mapColumns(columns, options);
  const country = await countryOf(campaign, options);
  const at = clock.now();
  const texters = new TexterWords(await stores.texters.list(campaignId));
  const { keepAssignees: keepsAssignees = false } = options;
  const parts = { texters, readPhone: await phoneReader(country), at, keepsAssignees };
  return { country, reader: new ContactReader(columns.length, mapping, parts), at };
}

async function countryOf({ country }: Campaign, { country: wanted }: ImportOptions): Promise<string | null> {
  return wanted === undefined ? country : checkedCountry(wanted);
}

async function previewWith(
  source: ContactSource,
  reader: ContactReader,
  country: string | null,
  { acceptRejected = false, signal }: ImportOptions,
): Promise<ImportPreview> {
  const found = await survey(source, reader, signal);
  if (found.rows === 0 && found.isComplete) throw emptyFile('no rows after its header line');
  const doubted = acceptRejected ? undefined : doubtedPhones(found, country);
  const refusal = found.isComplete ? (undecidedConsent(source, found) ?? doubted) : undefined;
  return { country, mapping: reader.mapping, survey: found, refusal };
}

function undecidedConsent({ columns }: ContactSource, { consentColumns }: Survey): Refusal | undefined {
  return consentColumns.length > 0 ? noConsentColumn(consentColumns, columns) : undefined;
}
