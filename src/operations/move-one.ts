import { Refusal } from '../domain/errors.ts';
import type { Candidate } from '../domain/conversation.ts';
import type { Clock } from '../domain/operation.ts';
import { totalUp, type OverLimit } from '../domain/receipt.ts';
import type { TexterLoad } from '../claims/index.ts';
import type { AssigneeCount } from '../conversations/index.ts';
import type { Batch } from './batch.ts';
import type { OneRequest } from './contract.ts';
import { resolvePlan } from './kinds.ts';
import { countLimited, overLimits } from './limits.ts';
import { changesOf, countsOf } from './moves.ts';
import { newOperation, NO_SEQUENCE, type Operation, type OperationCommand, type Plan } from './operation.ts';
import { Planner } from './planner.ts';
import type { MovedOperation, Stores } from './ports.ts';
import { readsOfMoves, type ReadsOfMoves } from './reads-of-round.ts';

interface OneDeps {
  readonly stores: Stores;
  readonly clock: Clock;
}

export interface OneCommand extends OperationCommand {
  readonly request: OneRequest;
}

/** A single move that holds as the conversation was read. */
interface Draft {
  readonly command: OneCommand;
  readonly plan: Plan;
  readonly batch: Batch;
  readonly endMarker: Batch;
}

interface Times {
  readonly acceptedAt: Date;
  readonly endedAt: Date;
}

/**
 * The fast path for a single conversation: one transaction writes the operation, the move and the receipt.
 *
 * Returns `undefined`, and writes nothing, when this is not possible: for an id that exists, a refusal, or a conversation that
 * cannot move. The usual path then records the operation with the reason.
 */
export async function moveOne({ stores, clock }: OneDeps, command: OneCommand): Promise<Operation | undefined> {
  const acceptedAt = clock.now();
  return stores.operations.moveNow(command.request, async (found, endedAt) => {
    const candidates = found.then((candidate) => (candidate ? [candidate] : []));
    const reads = readsOfMoves(stores, [command.request], candidates);
    const draft = await draftMove(reads.stores, command);
    const [moved] = draft ? await asDone(reads, [draft], { acceptedAt, endedAt }) : [];
    return moved;
  });
}

/**
 * Writes several single moves of one campaign, each of another conversation, in one transaction. Returns them in the order of
 * the commands, with `undefined` for each that cannot move. Returns `undefined` for all, and writes nothing, when one of them
 * is not as it was read, or met another writer.
 */
export async function moveSeveral(
  { stores, clock }: OneDeps,
  commands: readonly OneCommand[],
): Promise<readonly (Operation | undefined)[] | undefined> {
  const acceptedAt = clock.now();
  const requests = commands.map(({ request }) => request);
  const ids = requests.map(({ conversationId }) => conversationId);
  const candidates = stores.conversations.findMany(requests[0]?.campaignId ?? '', ids);
  const reads = readsOfMoves(stores, requests, candidates);
  // The usual path of a command finds its error. An error of the database concerns all of them.
  const draft = (command: OneCommand) => draftMove(reads.stores, command).catch(() => undefined);
  const [known, drafted] = await Promise.all([
    stores.operations.knownAmong(requests.map(({ operationId }) => operationId)),
    Promise.all(commands.map(draft)),
  ]);
  await candidates;
  const drafts = drafted.flatMap((made) => (made && !known.has(made.command.request.operationId) ? [made] : []));
  if (drafts.length === 0) return commands.map(() => undefined);
  const planned = drafts.map(({ command: { request }, batch }) => ({ request, batch }));
  const endedAt = clock.now();
  const ended = asDone(reads, drafts, { acceptedAt, endedAt });
  if (!(await stores.operations.insertDone(planned, endedAt, ended))) return undefined;
  const byId = new Map((await ended).map(({ operation }) => [operation.operationId, operation]));
  return requests.map(({ operationId }) => byId.get(operationId));
}

async function draftMove(stores: Stores, command: OneCommand): Promise<Draft | undefined> {
  const { request } = command;
  const [plan, candidate] = await Promise.all([
    resolvePlan(stores, request).catch(undefinedIfRefused),
    stores.conversations.findOne(request.campaignId, request.conversationId),
  ]);
  return plan && candidate && draftOf(command, plan, candidate);
}

function draftOf(command: OneCommand, plan: Plan, candidate: Candidate): Draft | undefined {
  const planner = new Planner({ request: command.request, plan, newest: null });
  planner.add(candidate);
  const batch = planner.closeBatch();
  if (!batch || batch.skips.length > 0) return undefined;
  return { command, plan, batch, endMarker: planner.endMarker() };
}

function undefinedIfRefused(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

/** Counts before the moves: each move adds one to its target, which takes the target past a limit or does not. */
async function asDone(
  reads: ReadsOfMoves,
  drafts: readonly Draft[],
  { acceptedAt, endedAt: at }: Times,
): Promise<MovedOperation[]> {
  const counts = [...(await countTargets(reads, drafts))];
  return drafts.map((draft) => {
    const { command, plan, batch, endMarker } = draft;
    counts.push(...changesOf(countsOf(batch.moves)));
    const accepted = { ...newOperation(command, acceptedAt), sequence: NO_SEQUENCE };
    return {
      operation: ended(accepted, plan, batch, { at, overLimit: overLimit(plan, batch, counts) }),
      batch,
      endMarker,
    };
  });
}

/** The rules may have changed between two reads. Then the targets are counted again. */
async function countTargets(reads: ReadsOfMoves, drafts: readonly Draft[]): Promise<readonly AssigneeCount[]> {
  const limited = drafts.filter(({ plan }) => plan.limits);
  const targets = [...new Set(limited.flatMap(({ batch }) => batch.moves.flatMap(({ to }) => to ?? [])))];
  const [first] = limited;
  if (!first || targets.length === 0) return [];
  const loads = await reads.loads;
  if (targets.every((target) => loads.has(target))) return countsOfLoads(loads);
  return countLimited(reads.stores.conversations, first.batch.campaignId, targets);
}

function countsOfLoads(loads: ReadonlyMap<string, TexterLoad>): AssigneeCount[] {
  return [...loads].flatMap(([assigneeId, { notStarted, needsReply }]) => [
    { assigneeId, status: 'not-started' as const, count: notStarted },
    { assigneeId, status: 'needs-reply' as const, count: needsReply },
  ]);
}

function overLimit({ limits }: Plan, { moves }: Batch, counts: readonly AssigneeCount[]): OverLimit[] {
  const targets = moves.flatMap(({ to }) => to ?? []);
  return limits ? overLimits(limits, targets, counts) : [];
}

function ended(
  operation: Operation,
  plan: Plan,
  { moves }: Batch,
  { at, overLimit: over }: { readonly at: Date; readonly overLimit: readonly OverLimit[] },
): Operation {
  const receipt = totalUp(countsOf(moves), [], { asked: null, ended: true, overLimit: over });
  return { ...operation, state: 'done', plan, receipt, startedAt: operation.acceptedAt, endedAt: at };
}
