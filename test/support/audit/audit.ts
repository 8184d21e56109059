import type { Context } from '../../../src/context.ts';
import { AnswerAudit } from './answer-audit.ts';
import { HistoryAudit } from './history-audit.ts';
import { OperationAudit } from './operation-audit.ts';
import {
  groupBy,
  isClaim,
  storedMoves,
  type CampaignRecords,
  type SeededCampaign,
  type SentRequest,
} from './records.ts';
import { UndoAudit } from './undo-audit.ts';

export interface AuditReport {
  /** One sentence for each violation. */
  readonly violations: readonly string[];
  readonly checked: Readonly<typeof NONE_CHECKED>;
}

/** `operations` counts undos and not claims. `cancelled` and `reopened` count both. */
const NONE_CHECKED = {
  conversations: 0,
  moves: 0,
  operations: 0,
  claims: 0,
  batches: 0,
  undos: 0,
  cancelled: 0,
  reopened: 0,
};

/**
 * Compares everything that the database stores with the requests that were sent and their answers, with raw queries only.
 * Call it when every operation has ended. `changedOutside`: another program paused texters or opted contacts out meanwhile.
 */
export async function audit(
  { context }: { readonly context: Pick<Context, 'database'> },
  campaigns: readonly SeededCampaign[],
  sent: readonly SentRequest[],
  { changedOutside = false }: { readonly changedOutside?: boolean } = {},
): Promise<AuditReport> {
  const violations: string[] = [];
  const checked = { ...NONE_CHECKED };
  for (const campaign of campaigns) {
    const { campaignId } = campaign;
    const { records, operationCount } = await readCampaign(context, campaignId);
    const sentToCampaign = sent.filter((each) => each.campaignId === campaignId);
    violations.push(
      ...new HistoryAudit(campaign, records).run(),
      ...new UndoAudit(records, { changedOutside }).run(),
      ...new OperationAudit(campaign, records, operationCount).run(),
      ...new AnswerAudit(campaignId, records, sentToCampaign).run(),
    );
    const counts = countsOf(records);
    for (const name of Object.keys(checked) as (keyof typeof checked)[]) checked[name] += counts[name];
  }
  return { violations, checked };
}

async function readCampaign(
  { database }: Pick<Context, 'database'>,
  campaignId: string,
): Promise<{ records: CampaignRecords; operationCount: number }> {
  const campaign = await database.campaigns.findOne({ _id: campaignId });
  const conversations = await database.conversations.find({ campaignId }).toArray();
  const operations = await database.operations.find({ campaignId }, { sort: { sequence: 1 } }).toArray();
  const claims = (await database.claims.find({ campaignId }).toArray()).filter(isClaim);
  const batches = await database.batches.find({ campaignId }, { sort: { _id: 1 } }).toArray();
  const records = {
    conversations: new Map(conversations.map((doc) => [doc._id.toHexString(), doc])),
    operations: operations.filter((doc) => !isClaim(doc)),
    claims,
    batches: groupBy(batches, ({ operationId }) => operationId),
    moves: storedMoves(batches, claims),
  };
  return { records, operationCount: campaign?.operationCount ?? 0 };
}

function countsOf({ conversations, operations, claims, batches, moves }: CampaignRecords): AuditReport['checked'] {
  const all = [...operations, ...claims];
  return {
    conversations: conversations.size,
    moves: moves.length,
    operations: operations.length,
    claims: claims.length,
    batches: [...batches.values()].flat().length,
    undos: operations.filter(({ request, state }) => request.kind === 'undo' && state !== 'failed').length,
    cancelled: all.filter(({ state }) => state === 'cancelled').length,
    reopened: all.filter(({ reopened }) => reopened !== undefined).length,
  };
}
