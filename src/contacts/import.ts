import { campaignClosed, unknownCampaign } from '../domain/errors.ts';
import { readHeader, refused } from './columns.ts';
import type { ContactStore, NewConversation } from './ports.ts';
import { BadRow, ContactReader } from './row.ts';
import { InFlight } from '../domain/in-flight.ts';
import type { Clock } from '../domain/clock.ts';
import type { CampaignsStore } from '../campaigns/index.ts';

/** Rows written in one command, and commands under way at once: enough to keep the database busy, little to hold. */
const BATCH_ROWS_MAX = 1_000;
const BATCHES_IN_FLIGHT_MAX = 3;
/** Bad rows told one by one; beyond, they are only counted. */
export const REJECTED_LISTED_MAX = 1_000;

/** One record of a file: its cells, or what is wrong with it. `line` is where it begins, from 1. */
export type FileRecord =
  { readonly line: number; readonly cells: readonly string[] } | { readonly line: number; readonly problem: string };

export interface RejectedRow {
  readonly line: number;
  readonly reason: string;
}

export interface ImportResult {
  readonly added: number;
  /** Rows whose phone number the campaign had, or an earlier row. */
  readonly alreadyThere: number;
  readonly rejectedCount: number;
  /** The first of them, at most {@link REJECTED_LISTED_MAX}. */
  readonly rejected: readonly RejectedRow[];
}

export interface ImportDeps {
  readonly campaigns: CampaignsStore;
  readonly contacts: ContactStore;
  readonly clock: Clock;
}

/**
 * Adds a file's contacts to a campaign, row by row as they come; its first record is the header. Bad rows are told and
 * the rest kept. Safe to repeat: a contact that is there is left as it is.
 */
export async function importContacts(
  deps: ImportDeps,
  campaignId: string,
  records: AsyncIterable<readonly FileRecord[]>,
): Promise<ImportResult> {
  const campaign = await deps.campaigns.findCampaign(campaignId);
  if (!campaign) throw unknownCampaign(campaignId);
  if (campaign.closed) throw campaignClosed(campaignId);
  const texters = await deps.campaigns.listTexters(campaignId);
  const at = deps.clock.now();
  const writer = new BatchWriter(deps.contacts, campaignId, at);
  const rejected = new Rejected();
  let reader: ContactReader | undefined;
  try {
    for await (const chunk of records) {
      for (const record of chunk) {
        if (reader) await take(record, reader, writer, rejected);
        else reader = new ContactReader(readHeader(headerOf(record)), texters, at);
      }
    }
    if (!reader) throw refused('a header line with the columns name and phone', 'an empty file');
    const { added, taken } = await writer.finish();
    return { added, alreadyThere: taken - added, rejectedCount: rejected.count, rejected: rejected.rows };
  } finally {
    await writer.abandoned();
  }
}

function headerOf(record: FileRecord): readonly string[] {
  if ('cells' in record) return record.cells;
  throw refused('a header line with the columns name and phone', record.problem);
}

async function take(record: FileRecord, reader: ContactReader, to: BatchWriter, rejected: Rejected): Promise<void> {
  const { line } = record;
  try {
    if ('problem' in record) throw new BadRow(record.problem);
    const full = to.add(reader.read(record.cells));
    if (full) await to.flush();
  } catch (error) {
    if (!(error instanceof BadRow)) throw error;
    rejected.add({ line, reason: error.message });
  }
}

class Rejected {
  readonly rows: RejectedRow[] = [];
  count = 0;

  add(row: RejectedRow): void {
    this.count += 1;
    if (this.rows.length < REJECTED_LISTED_MAX) this.rows.push(row);
  }
}

/** Writes rows in batches, a few of them at a time. */
class BatchWriter {
  private readonly contacts: ContactStore;
  private readonly campaignId: string;
  private readonly at: Date;
  private readonly inFlight = new InFlight(() => BATCHES_IN_FLIGHT_MAX);
  private batch: NewConversation[] = [];
  private added = 0;
  private taken = 0;

  constructor(contacts: ContactStore, campaignId: string, at: Date) {
    this.contacts = contacts;
    this.campaignId = campaignId;
    this.at = at;
  }

  /** True when the batch in hand is full. */
  add(conversation: NewConversation): boolean {
    this.batch.push(conversation);
    this.taken += 1;
    return this.batch.length >= BATCH_ROWS_MAX;
  }

  async flush(): Promise<void> {
    const batch = this.batch;
    this.batch = [];
    if (batch.length === 0) return;
    await this.inFlight.add(async () => {
      const added = await this.contacts.insertNew(this.campaignId, batch, this.at);
      // Only now: others in flight have added theirs meanwhile.
      this.added += added;
    });
  }

  async finish(): Promise<{ added: number; taken: number }> {
    await this.flush();
    await this.inFlight.settled();
    return { added: this.added, taken: this.taken };
  }

  async abandoned(): Promise<void> {
    await this.inFlight.abandoned();
  }
}
