import { setImmediate } from 'node:timers/promises';
import type { AssigneeCount, ConversationCounts } from '../conversations/index.ts';
import { isStatus, type Assignee, type Candidate, type Status } from '../domain/conversation.ts';
import { sumOf } from '../domain/receipt.ts';
import type { Candidates } from './candidates.ts';
import type { BulkRequest } from './contract.ts';
import type { Plan } from './operation.ts';

/** Between two pages, other work of the process gets its turn. */
const PAGE_CANDIDATES = 2_000;

/** Conversations that are equal in everything that a plan depends on. */
interface Alike extends Pick<Candidate, 'assigneeId' | 'status' | 'optedOut' | 'isIncomplete'> {
  readonly count: number;
}

/**
 * Returns candidates with made-up ids whose numbers are those of the counts. Returns `undefined` when the order in which the
 * conversations of several sources follow each other decides how many move from one assignee to another, or how many are
 * skipped.
 */
export async function countedCandidates(
  counts: ConversationCounts,
  request: BulkRequest,
  plan: Plan,
): Promise<Candidates | undefined> {
  if (plan.surplus) return undefined;
  const alike = await countAlike(counts, request, plan);
  const sources = new Set(alike.map(({ assigneeId }) => assigneeId));
  if (sources.size > 1 && plan.targets.length > 1) return undefined;
  const isSimple = sources.size <= 1 && alike.every(({ optedOut, isIncomplete }) => !optedOut && !isIncomplete);
  if (plan.limit !== null && !isSimple) return undefined;
  return { read: () => pagesOf(alike), count: () => Promise.resolve(sumOf(alike)) };
}

async function countAlike(counts: ConversationCounts, request: BulkRequest, plan: Plan): Promise<Alike[]> {
  const { campaignId } = request;
  const isSource = new Set(plan.sources);
  const isSelected = ({ assigneeId, status }: AssigneeCount): boolean =>
    isSource.has(assigneeId) && (plan.statuses.includes(status) || (request.status === 'any' && !isStatus(status)));
  const [all, optedOut, withoutOptOut] = [
    (await counts.countByAssignee(campaignId)).filter(isSelected),
    keyed(await counts.countOptedOut(campaignId)),
    keyed(await counts.countWithoutOptOut(campaignId)),
  ];
  const inOrder = all.toSorted((a, b) => placeOf(a.status, plan) - placeOf(b.status, plan));
  return inOrder.flatMap((each) => {
    const { assigneeId, status, count } = each;
    const isKnown = isStatus(status);
    const silent = isKnown ? (optedOut.get(keyOf(each)) ?? 0) : 0;
    const incomplete = isKnown ? (withoutOptOut.get(keyOf(each)) ?? 0) : count;
    const groups: Alike[] = [
      { assigneeId, status, optedOut: false, count: count - silent - incomplete },
      { assigneeId, status, optedOut: true, count: silent },
      { assigneeId, status, optedOut: false, isIncomplete: true, count: incomplete },
    ];
    return groups.filter((group) => group.count > 0);
  });
}

/** Conversations of unknown statuses come last, as in the operation. */
function placeOf(status: Status, { statuses }: Plan): number {
  const place = statuses.indexOf(status);
  return place < 0 ? statuses.length : place;
}

function keyed(counts: readonly AssigneeCount[]): Map<string, number> {
  return new Map(counts.map((each) => [keyOf(each), each.count]));
}

function keyOf({ assigneeId, status }: { readonly assigneeId: Assignee; readonly status: Status }): string {
  return `${status} ${assigneeId ?? ''}`;
}

async function* pagesOf(alike: readonly Alike[]): AsyncGenerator<readonly Candidate[]> {
  let page: Candidate[] = [];
  let number = 0;
  for (const { count, ...fields } of alike) {
    for (let left = count; left > 0; left -= 1) {
      page.push({ id: String((number += 1)), waitingSince: number, ...fields });
      if (page.length < PAGE_CANDIDATES) continue;
      yield page;
      page = [];
      await setImmediate();
    }
  }
  yield page;
}
