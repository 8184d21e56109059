import { badHeader, readHeader } from './columns.ts';
import type { ContactStore, Imported, NewConversation } from './contact.ts';
import { BadRow, ContactReader, type ReaderParts } from './row.ts';
import { checkedCountry, type Campaign, type CampaignStore, type TexterStore } from '../campaigns/index.ts';
import type { Clock } from '../domain/operation.ts';
import { campaignClosed, unknownCampaign } from '../domain/errors.ts';
import { InFlight } from '../domain/in-flight.ts';

/** Rows per insert and inserts at the same time: enough to keep the database busy, few enough for memory. */
const BATCH_ROWS_MAX = 1_000;
const BATCHES_IN_FLIGHT_MAX = 3;
/** The number of rejected rows that a result lists. It counts the others. */
export const REJECTED_LISTED_MAX = 1_000;

/** One record of a file: its cells, or the reason why it could not be read. `line` is the line it starts on, from 1. */
export type FileRecord =
  { readonly line: number; readonly cells: readonly string[] } | { readonly line: number; readonly problem: string };

interface RejectedRow {
  readonly line: number;
  readonly reason: string;
}

export interface ImportResult {
  readonly added: number;
  /** The number of rows whose phone number an earlier row or an earlier import has brought. */
  readonly alreadyThere: number;
  /**
   * The number of contacts that this import opted out: new ones, and ones that were there. An opt-out in a rejected row
   * holds as well if its phone number can be read.
   */
  readonly optedOut: number;
  readonly rejectedCount: number;
  /** The first {@link REJECTED_LISTED_MAX} rejected rows. */
  readonly rejected: readonly RejectedRow[];
}

export interface ImportDeps {
  readonly stores: { readonly campaigns: CampaignStore; readonly texters: TexterStore };
  readonly contacts: ContactStore;
  readonly clock: Clock;
}

export interface ImportOptions {
  /** The country of phone numbers without a country code. Default: the country of the campaign. */
  readonly country?: string | undefined;
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
  const campaign = await deps.stores.campaigns.find(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  if (campaign.closed) throw campaignClosed(campaignId);
  const at = deps.clock.now();
  const parts = await readerParts(deps, campaign, options, at);
  const rows = new RowImport(new BatchWriter(deps.contacts, campaignId, at));
  let reader: ContactReader | undefined;
  try {
    for await (const some of records) {
      for (const record of some) {
        if (reader) await rows.add(record, reader);
        else reader = new ContactReader(readHeader(headerCells(record)), parts);
      }
    }
    if (!reader) throw badHeader('the file is empty; it must start with a header line', 'an empty file');
    return await rows.finish();
  } finally {
    await rows.stop();
  }
}

async function readerParts(
  { stores }: ImportDeps,
  { campaignId, country: ofCampaign }: Campaign,
  { country: wanted }: ImportOptions,
  at: Date,
): Promise<ReaderParts> {
  const country = wanted === undefined ? ofCampaign : await checkedCountry(wanted);
  const texters = await stores.texters.list(campaignId);
  const { readPhone } = await import('../domain/phone.ts');
  return { texters, readPhone: (text) => readPhone(text, country), at };
}

function headerCells(record: FileRecord): readonly string[] {
  if ('cells' in record) return record.cells;
  throw badHeader(`the header line cannot be read: ${record.problem}`, record.problem);
}

/** Sorts the rows of one import into added and rejected ones. */
class RowImport {
  private readonly writer: BatchWriter;
  private readonly rejected: RejectedRow[] = [];
  /** Phone numbers of rejected rows that say that the person has opted out. */
  private readonly optOuts = new Set<string>();
  private accepted = 0;
  private rejectedCount = 0;

  constructor(writer: BatchWriter) {
    this.writer = writer;
  }

  async add(record: FileRecord, reader: ContactReader): Promise<void> {
    const row = readRow(record, reader);
    if (row instanceof BadRow) return this.reject(record.line, row);
    this.accepted += 1;
    await this.writer.add(this.optOuts.has(row.phone) ? { ...row, optedOut: true } : row);
  }

  async finish(): Promise<ImportResult> {
    const { added, optedOut } = await this.writer.finish();
    const { accepted, rejectedCount, rejected } = this;
    return { added, alreadyThere: accepted - added, optedOut, rejectedCount, rejected };
  }

  async stop(): Promise<void> {
    await this.writer.stop();
  }

  private reject(line: number, { message: reason, optOut }: BadRow): void {
    this.rejectedCount += 1;
    if (this.rejected.length < REJECTED_LISTED_MAX) this.rejected.push({ line, reason });
    if (optOut === undefined || this.optOuts.has(optOut)) return;
    this.optOuts.add(optOut);
    this.writer.addOptOut(optOut);
  }
}

function readRow(record: FileRecord, reader: ContactReader): NewConversation | BadRow {
  try {
    return 'cells' in record ? reader.read(record.cells) : new BadRow(record.problem);
  } catch (error) {
    if (error instanceof BadRow) return error;
    throw error;
  }
}

/** Inserts conversations in batches, a few batches at the same time. */
class BatchWriter {
  private readonly contacts: ContactStore;
  private readonly campaignId: string;
  private readonly at: Date;
  private readonly inFlight = new InFlight(() => BATCHES_IN_FLIGHT_MAX);
  private batch: NewConversation[] = [];
  private optOuts: string[] = [];
  private added = 0;
  private optedOut = 0;

  constructor(contacts: ContactStore, campaignId: string, at: Date) {
    this.contacts = contacts;
    this.campaignId = campaignId;
    this.at = at;
  }

  async add(conversation: NewConversation): Promise<void> {
    this.batch.push(conversation);
    if (this.batch.length >= BATCH_ROWS_MAX) await this.flush();
  }

  /** Written with the next batch. */
  addOptOut(phone: string): void {
    this.optOuts.push(phone);
  }

  /** Writes the rest and returns the counts of all batches. */
  async finish(): Promise<Imported> {
    await this.flush();
    await this.inFlight.settled();
    const { added, optedOut } = this;
    return { added, optedOut };
  }

  /** Waits for the inserts in progress after an error, so that none of them outlives the import. */
  async stop(): Promise<void> {
    await this.inFlight.abandoned();
  }

  private async flush(): Promise<void> {
    const { batch: conversations, optOuts, at } = this;
    this.batch = [];
    this.optOuts = [];
    if (conversations.length + optOuts.length === 0) return;
    await this.inFlight.add(async () => {
      const { added, optedOut } = await this.contacts.importBatch(this.campaignId, { conversations, optOuts, at });
      // The sums must be read after the wait: another insert may have changed them.
      this.added += added;
      this.optedOut += optedOut;
    });
  }
}
