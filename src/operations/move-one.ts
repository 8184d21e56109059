import type { Batch } from './batch.ts';
import { Refusal } from '../domain/errors.ts';
import { NO_SEQUENCE, type Operation, type Plan } from './operation.ts';
import { totalUp } from '../domain/receipt.ts';
import { isOne } from './request.ts';
import { newOperation, type OperationCommand } from './operation-command.ts';
import { Planner } from './planner.ts';
import type { Stores } from './ports.ts';
import type { Clock } from '../domain/clock.ts';
import { resolvePlan } from './resolve-plan.ts';

/**
 * Moves a single conversation in one transaction that holds record, move and receipt: nothing of it is ever half done.
 *
 * `undefined`, and nothing is written, for whatever is not that plain: a bulk request, an id that is known, a refusal,
 * a conversation that cannot be moved. The long way then finds out what it is, and records it.
 */
export async function moveOne(
  { stores, clock }: { readonly stores: Stores; readonly clock: Clock },
  command: OperationCommand,
): Promise<Operation | undefined> {
  const { request } = command;
  if (!isOne(request)) return undefined;
  const at = clock.now();
  const [plan, candidate] = await Promise.all([
    resolvePlan(stores, request).catch(noPlan),
    stores.conversations.findOne(request.campaignId, request.conversationId),
  ]);
  if (!plan || !candidate) return undefined;
  const accepted = { ...newOperation(command, at), sequence: NO_SEQUENCE };
  const planner = new Planner({ operation: accepted, plan, last: null, batchMax: 1 });
  planner.take(candidate);
  const batch = planner.closeBatch();
  if (!batch || batch.skips.length > 0) return undefined;
  const done = ended(accepted, plan, batch, clock.now());
  return (await stores.operations.carryOut(done, batch, planner.endMarker())) ? done : undefined;
}

function noPlan(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

function ended(operation: Operation, plan: Plan, { moves }: Batch, at: Date): Operation {
  const counts = moves.map(({ conversationIds, ...move }) => ({ ...move, count: conversationIds.length }));
  const receipt = totalUp(counts, [], { asked: null, ended: true });
  return { ...operation, state: 'done', plan, receipt, startedAt: operation.acceptedAt, endedAt: at };
}
