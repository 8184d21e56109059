import type { ContactStore, Imported, NewConversation, Refused } from './contact.ts';
import { BadRow } from './cell-values.ts';
import type { Field } from './fields.ts';
import type { ContactReader } from './row.ts';
import type { SourceRow } from './source.ts';
import { InFlight } from '../domain/in-flight.ts';

/** Rows per insert and inserts at the same time: enough to keep the database busy, few enough for memory. */
const BATCH_ROWS_MAX = 1_000;
const BATCHES_IN_FLIGHT_MAX = 3;
const ONE_BY_ONE: readonly Field[] = ['external_id', 'assignee', 'assignee_id'];
/** The number of rejected rows that a result lists. It counts the others. */
export const REJECTED_LISTED_MAX = 1_000;

export interface RejectedRow {
  readonly line: number;
  /** The field that is wrong; `null` when the row as a whole is. */
  readonly field: string | null;
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
  /** The number of added contacts who got no assignee, although their row names one, because they have opted out. */
  readonly leftInPool: number;
  readonly rejectedCount: number;
  /** The first {@link REJECTED_LISTED_MAX} rejected rows, by line. */
  readonly rejected: readonly RejectedRow[];
  /** The line of the last row that was read. */
  readonly lastLine: number;
}

interface ReadRow {
  readonly row: SourceRow;
  readonly conversation: NewConversation;
}

export interface RowImportParts {
  readonly contacts: ContactStore;
  readonly campaignId: string;
  /** The moment of the import. */
  readonly at: Date;
  readonly keepsAssignees: boolean;
  readonly sharesIds: boolean;
  /** Gets each rejected row, so that it can be corrected. */
  readonly onRejected?: ((row: SourceRow, reason: string, field: string | null) => Promise<void>) | undefined;
}

/** Reads the rows of one import, inserts them in batches, and counts what became of them. */
export class RowImport {
  private readonly parts: RowImportParts;
  private readonly reader: ContactReader;
  private readonly inFlight: InFlight;
  private batch: ReadRow[] = [];
  /** Phone numbers of rejected rows that say that the person has opted out. */
  private readonly optOuts = new Set<string>();
  private readonly rejected: RejectedRow[] = [];
  private readonly counts = { accepted: 0, rejectedCount: 0, added: 0, optedOut: 0, leftInPool: 0, lastLine: 0 };

  constructor(parts: RowImportParts, reader: ContactReader) {
    this.parts = parts;
    this.reader = reader;
    // A batch must find the external ids of the batch before it, and batches with the same texters would conflict.
    const isOneByOne = ONE_BY_ONE.some((field) => reader.mapping.columns.has(field));
    this.inFlight = new InFlight(() => (isOneByOne ? 1 : BATCHES_IN_FLIGHT_MAX));
  }

  async add(row: SourceRow): Promise<void> {
    this.counts.lastLine = row.line;
    const conversation = readRow(row, this.reader);
    if (conversation instanceof BadRow) return this.reject(row, conversation);
    this.counts.accepted += 1;
    this.batch.push({ row, conversation });
    if (this.batch.length >= BATCH_ROWS_MAX) await this.flush();
  }

  /** Writes the rest and returns the result of the import. */
  async finish(): Promise<ImportResult> {
    await this.flush();
    await this.inFlight.settled();
    await this.writeOptOuts();
    const { accepted, ...counts } = this.counts;
    const rejected = this.rejected.toSorted((a, b) => a.line - b.line);
    return { ...counts, alreadyThere: accepted - counts.added, rejected };
  }

  /** Waits for the inserts in progress after an error, so that none of them outlives the import. */
  async stop(): Promise<void> {
    await this.inFlight.abandoned();
  }

  private async flush(): Promise<void> {
    const { batch } = this;
    this.batch = [];
    if (batch.length > 0) await this.inFlight.add(() => this.write(batch));
  }

  private async write(batch: readonly ReadRow[]): Promise<void> {
    const conversations = batch.map(({ conversation }) => this.withOptOut(conversation));
    const imported = await this.importBatch(conversations, []);
    for (const refused of imported.refused) {
      const { row } = batch[conversations.indexOf(refused.conversation)] ?? {};
      if (row) await this.refuse(row, refused);
    }
  }

  /** Comes last, because an earlier batch that is still in progress may insert the conversation of such a number. */
  private async writeOptOuts(): Promise<void> {
    const optOuts = [...this.optOuts];
    for (let at = 0; at < optOuts.length; at += BATCH_ROWS_MAX) {
      await this.importBatch([], optOuts.slice(at, at + BATCH_ROWS_MAX));
    }
  }

  private async importBatch(conversations: readonly NewConversation[], optOuts: readonly string[]): Promise<Imported> {
    const { contacts, campaignId, at, keepsAssignees, sharesIds } = this.parts;
    const batch = { conversations, optOuts, at, keepsAssignees, sharesIds };
    const imported = await contacts.importBatch(campaignId, batch);
    this.counts.added += imported.added;
    this.counts.optedOut += imported.optedOut;
    this.counts.leftInPool += imported.leftInPool;
    return imported;
  }

  private withOptOut(conversation: NewConversation): NewConversation {
    return this.optOuts.has(conversation.phone) ? { ...conversation, optedOut: true } : conversation;
  }

  private async refuse(row: SourceRow, { conversation, because }: Refused): Promise<void> {
    this.counts.accepted -= 1;
    const [field, reason] = REASONS[because];
    const bad = new BadRow(reason, field);
    bad.optOut = conversation.optedOut ? conversation.phone : undefined;
    await this.reject(row, bad);
  }

  private async reject(row: SourceRow, { message: reason, field, optOut }: BadRow): Promise<void> {
    this.counts.rejectedCount += 1;
    if (this.rejected.length < REJECTED_LISTED_MAX) this.rejected.push({ line: row.line, field, reason });
    if (optOut !== undefined) this.optOuts.add(optOut);
    await this.parts.onRejected?.(row, reason, field);
  }
}

const REASONS: Readonly<Record<Refused['because'], readonly [field: Field, reason: string]>> = {
  'assignee-inactive': ['assignee', 'the assignee was paused, or the campaign was closed, during the import'],
  erased: ['phone', 'the person with this phone number was erased from the campaign'],
  'external-id-taken': [
    'external_id',
    'the external id belongs to a contact with another phone number, or without one; correct one of them, or use --shared-ids for households',
  ],
};

/** Returns the conversation of a row, or what is wrong with the row. */
export function readRow(row: SourceRow, reader: ContactReader): NewConversation | BadRow {
  try {
    return 'cells' in row ? reader.read(row.cells) : reader.refuse(row.problem, row.known ?? []);
  } catch (error) {
    if (error instanceof BadRow) return error;
    throw error;
  }
}
