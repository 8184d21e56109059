import type { AssigneeCount } from '../conversations/index.ts';
import { Refusal } from '../domain/errors.ts';
import { sumOf } from '../domain/receipt.ts';
import type { UnassignRequest } from './contract.ts';
import type { Plan } from './operation.ts';
import type { Stores } from './ports.ts';

/**
 * Unassigning all needs a confirmation of the number of conversations. So does a count above that number. Both are checked
 * until the first batch is planned. From then on the limit of the plan keeps the operation from moving more.
 */
export async function checkConfirmation(stores: Stores, request: UnassignRequest, plan: Plan): Promise<void> {
  if ((await stores.batches.recent(request.operationId, 1)).length > 0) return;
  const { count } = request;
  if (count !== undefined && (await hasMore(stores, request, plan, count))) return;
  const found = await countUnassignable(stores, request, plan);
  if (count !== undefined && found === 0) return;
  if (request.confirm === undefined) {
    throw new Refusal('confirmation-needed', {
      message:
        count === undefined
          ? `unassigning all needs a confirmation of ${found} conversations`
          : `only ${found} conversations match, not ${count}; unassigning all of them needs a confirmation of ${found}`,
      expected: `a confirmation of ${found}`,
      received: 'none',
    });
  }
  if (found > request.confirm) {
    throw new Refusal('confirmation-drifted', {
      message: `${request.confirm === 1 ? '1 conversation was' : `${request.confirm} conversations were`} confirmed, but ${found} would be unassigned now`,
      expected: `at most ${request.confirm}, as confirmed`,
      received: `${found}`,
    });
  }
}

/** Reads no more of the index than the count, unless some conversations are incomplete. */
async function hasMore(stores: Stores, request: UnassignRequest, plan: Plan, count: number): Promise<boolean> {
  const { campaignId } = request;
  const { sources, statuses } = plan;
  const [found, incomplete] = await Promise.all([
    stores.conversations.count(campaignId, sources, statuses, count),
    stores.conversations.countWithoutOptOut(campaignId, sources),
  ]);
  if (found < count || incomplete.length === 0) return found >= count;
  return (await countUnassignable(stores, request, plan)) >= count;
}

/**
 * Counts anew, at one moment. An unassign also takes the conversations of contacts who opted out, but skips incomplete ones.
 * The conversations of everyone are one range of the index, and those of some texters are a range for each.
 */
export async function countUnassignable(
  { conversations }: Pick<Stores, 'conversations'>,
  { campaignId, from }: Pick<UnassignRequest, 'campaignId' | 'from'>,
  { sources, statuses }: Pick<Plan, 'sources' | 'statuses'>,
): Promise<number> {
  const isSource = new Set(sources);
  const isSelected = ({ assigneeId, status }: AssigneeCount): boolean =>
    isSource.has(assigneeId) && statuses.includes(status);
  const among = from === 'everyone' ? undefined : { assignees: sources, statuses };
  const { all, incomplete } = await conversations.atOneMoment(async (moment) => ({
    all: await moment.countByAssignee(campaignId, among),
    incomplete: await moment.countWithoutOptOut(campaignId, among?.assignees),
  }));
  return sumOf(all.filter(isSelected)) - sumOf(incomplete.filter(isSelected));
}
