import { importContacts, sourceOf } from '../../src/contacts/index.ts';
import { addTexter, createCampaign } from '../../src/campaigns/index.ts';
import { viewSenders, type SendersView } from '../../src/conversations/views.ts';
import type { Sandbox } from '../sandbox.ts';

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
  contacts: readonly (readonly string[])[],
): Promise<DemoCampaign> {
  const { context } = sandbox;
  const campaignId = sandbox.newId('c');
  await createCampaign(context, { campaignId, name });
  const texterIds: Record<string, string> = {};
  for (const texter of texters) {
    const added = await addTexter(context, { campaignId, texterId: sandbox.newId('t'), name: texter });
    texterIds[texter] = added.texterId;
  }
  const [columns = [], ...rows] = contacts;
  await importContacts(context, campaignId, sourceOf(columns, rows));
  return { campaignId, texterIds };
}

export function senders({ context }: Sandbox, campaignId: string): Promise<SendersView> {
  return viewSenders(context, campaignId);
}
