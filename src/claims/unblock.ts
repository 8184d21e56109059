import { isClosed, rulesOf, type StoredCampaign } from '../campaigns/index.ts';
import { Refusal } from '../domain/errors.ts';
import type { Database } from '../mongo/database.ts';
import { BLOCKED_INDEX, BY_ID } from '../mongo/indexes.ts';
import type { Unblocked } from './ports.ts';
import { toClaim } from './round-store.ts';
import { roomOf, type Snapshot } from './rules.ts';
import { readLoads } from './texter-loads.ts';

const PAGE = 100;

/** The update of a blocked claim that lets rounds read it again, in its old place. */
const UNBLOCKED = [{ $set: { 'waiting.sequence': '$waiting.blockedSequence' } }, { $unset: 'waiting.blockedSequence' }];

/**
 * Compares each blocked claim with the present rules and the load of its texter, outside of any transaction: the round that reads
 * the claim decides.
 */
export async function unblockClaims(database: Database, campaignId: string): Promise<Unblocked> {
  const rules = await readRules(database, campaignId);
  if (!rules) return { checked: 0, unblocked: 0 };
  let [checked, unblocked] = [0, 0];
  for (let after = -1; ;) {
    const filter = { campaignId, 'waiting.blockedSequence': { $exists: true, $gt: after } };
    const options = { sort: { 'waiting.blockedSequence': 1 }, limit: PAGE, hint: BLOCKED_INDEX } as const;
    const page = (await database.claims.find(filter, options).toArray()).map(toClaim);
    if (page.length === 0) return { checked, unblocked };
    checked += page.length;
    const texterIds = [...new Set(page.map(({ request }) => request.texterId))];
    const countReplies = rules.selfAssign.repliesMax !== null;
    const texters = await readLoads(database, { campaignId, texterIds, countReplies });
    const free = page.filter((claim) => !(roomOf(claim, { campaign: rules, texters }) instanceof Refusal));
    unblocked += await setUnblocked(
      database,
      free.map(({ operationId }) => operationId),
    );
    after = page.at(-1)?.waiting?.sequence ?? Infinity;
  }
}

async function setUnblocked({ claims }: Database, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const filter = { _id: { $in: [...ids] }, 'waiting.blockedSequence': { $exists: true } };
  return (await claims.updateMany(filter, UNBLOCKED, { hint: BY_ID })).modifiedCount;
}

async function readRules({ campaigns }: Database, campaignId: string): Promise<Snapshot['campaign']> {
  const projection = { closed: 1, selfAssign: 1 };
  const campaign = await campaigns.findOne<StoredCampaign>({ _id: campaignId }, { projection });
  return campaign ? { closed: isClosed(campaign), selfAssign: rulesOf(campaign.selfAssign) } : undefined;
}
