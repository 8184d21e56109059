import type { Clock } from '../domain/operation.ts';
import { Refusal } from '../domain/errors.ts';
import { totalUp, type OverLimit } from '../domain/receipt.ts';
import type { Batch } from './batch.ts';
import { isOne } from './contract.ts';
import { resolvePlan } from './kinds.ts';
import { countLimited, overLimits } from './limits.ts';
import { newOperation, NO_SEQUENCE, type Operation, type OperationCommand, type Plan } from './operation.ts';
import { Planner } from './planner.ts';
import type { Stores } from './ports.ts';

/**
 * The fast path for a single conversation: one transaction writes the operation, the move and the receipt.
 *
 * Returns `undefined`, and writes nothing, when this is not possible: for a bulk request, an id that exists, a refusal, or
 * a conversation that cannot move. The usual path then records the operation with the reason.
 */
export async function moveOne(
  { stores, clock }: { readonly stores: Stores; readonly clock: Clock },
  command: OperationCommand,
): Promise<Operation | undefined> {
  const { request } = command;
  if (!isOne(request)) return undefined;
  const at = clock.now();
  const [plan, candidate] = await Promise.all([
    resolvePlan(stores, request).catch(undefinedIfRefused),
    stores.conversations.findOne(request.campaignId, request.conversationId),
  ]);
  if (!plan || !candidate) return undefined;
  const planner = new Planner({ request, plan, newest: null });
  planner.add(candidate);
  const batch = planner.closeBatch();
  if (!batch || batch.skips.length > 0) return undefined;
  const accepted = { ...newOperation(command, at), sequence: NO_SEQUENCE };
  const done = asDone(accepted, plan, batch, { at: clock.now(), overLimit: await overLimit(stores, plan, batch) });
  return (await stores.operations.insertDone(done, batch, planner.endMarker())) ? done : undefined;
}

function undefinedIfRefused(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

/** Counts before the move: one more conversation takes the target past a limit or does not. */
async function overLimit(
  { conversations }: Stores,
  { limits }: Plan,
  { campaignId, moves }: Batch,
): Promise<OverLimit[]> {
  const [move] = moves;
  if (!limits || !move || move.to === null) return [];
  const before = await countLimited(conversations, campaignId, [move.to]);
  return overLimits(limits, [move.to], [...before, { assigneeId: move.to, status: move.status, count: 1 }]);
}

function asDone(
  operation: Operation,
  plan: Plan,
  { moves }: Batch,
  { at, overLimit: over }: { readonly at: Date; readonly overLimit: readonly OverLimit[] },
): Operation {
  const counts = moves.map(({ conversationIds, ...move }) => ({ ...move, count: conversationIds.length }));
  const receipt = totalUp(counts, [], { asked: null, ended: true, overLimit: over });
  return { ...operation, state: 'done', plan, receipt, startedAt: operation.acceptedAt, endedAt: at };
}
