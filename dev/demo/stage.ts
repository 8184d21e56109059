import { importContacts, type FileRecord } from '../../src/contacts/import.ts';
import { addTexter, createCampaign } from '../../src/campaigns/manage.ts';
import { viewSenders, type SendersView } from '../../src/conversations/views.ts';
import type { Place } from '../place.ts';

/** Rows forwarded to the import at a time. */
const CHUNK_ROWS = 1_000;

/** A campaign with texters, and their ids by name. */
export interface Cast {
  readonly campaignId: string;
  readonly texterIds: Readonly<Record<string, string>>;
}

/** Makes a campaign with these texters, and imports these contacts: a header, then rows. */
export async function cast(
  place: Place,
  name: string,
  texters: readonly string[],
  contacts: Iterable<readonly string[]>,
): Promise<Cast> {
  const { context } = place;
  const campaignId = place.newId('c');
  await createCampaign(context, { campaignId, name });
  const texterIds: Record<string, string> = {};
  for (const texter of texters) {
    const added = await addTexter(context, { campaignId, texterId: place.newId('t'), name: texter });
    texterIds[texter] = added.texterId;
  }
  await importContacts(context, campaignId, recordsOf(contacts));
  return { campaignId, texterIds };
}

export function senders({ context }: Place, campaignId: string): Promise<SendersView> {
  return viewSenders(context, campaignId);
}

/** A header and rows, as a file would bring them. */
async function* recordsOf(rows: Iterable<readonly string[]>): AsyncGenerator<FileRecord[]> {
  let chunk: FileRecord[] = [];
  let line = 0;
  for (const cells of rows) {
    chunk.push({ line: (line += 1), cells });
    if (chunk.length < CHUNK_ROWS) continue;
    yield chunk;
    chunk = [];
  }
  yield await Promise.resolve(chunk);
}
