import { importContacts, type FileRecord } from '../../src/contacts/import.ts';
import { addTexter, createCampaign } from '../../src/campaigns/manage.ts';
import { viewSenders, type SendersView } from '../../src/conversations/views.ts';
import type { Sandbox } from '../sandbox.ts';

/** Rows passed to the import at once. */
const PAGE_ROWS = 1_000;

export interface DemoCampaign {
  readonly campaignId: string;
  /** Ids of the texters by their names. */
  readonly texterIds: Readonly<Record<string, string>>;
}

/** Creates a campaign, adds the texters and imports the contacts. The first row of the contacts is the header. */
export async function createDemoCampaign(
  sandbox: Sandbox,
  name: string,
  texters: readonly string[],
  contacts: Iterable<readonly string[]>,
): Promise<DemoCampaign> {
  const { context } = sandbox;
  const campaignId = sandbox.newId('c');
  await createCampaign(context, { campaignId, name });
  const texterIds: Record<string, string> = {};
  for (const texter of texters) {
    const added = await addTexter(context, { campaignId, texterId: sandbox.newId('t'), name: texter });
    texterIds[texter] = added.texterId;
  }
  await importContacts(context, campaignId, recordPages(contacts));
  return { campaignId, texterIds };
}

export function senders({ context }: Sandbox, campaignId: string): Promise<SendersView> {
  return viewSenders(context, campaignId);
}

/** Yields the rows in pages, as a CSV reader does. */
async function* recordPages(rows: Iterable<readonly string[]>): AsyncGenerator<FileRecord[]> {
  let page: FileRecord[] = [];
  let line = 0;
  for (const cells of rows) {
    page.push({ line: (line += 1), cells });
    if (page.length < PAGE_ROWS) continue;
    yield page;
    page = [];
  }
  yield await Promise.resolve(page);
}
