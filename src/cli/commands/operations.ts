import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { unknownOperation } from '../../domain/errors.ts';
import type { AnyOperation, StoredBatch } from '../../operations/index.ts';
import { AssigneeNames, listTexters, openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, limitOption } from '../options.ts';
import { fromText, operationText, toText } from '../receipt-text.ts';
import type { Session } from '../session.ts';
import { moment, table, type Output } from '../terminal.ts';

export function addOperations(program: Command, session: Session): void {
  program
    .command('operations')
    .summary('list operations, newest first')
    .argument(...CAMPAIGN)
    .addOption(limitOption(20))
    .action(async (campaign: string, { limit }: { limit: number }) =>
      session.print(await list(await openCampaign(session, campaign), limit)),
    );
  program
    .command('operation')
    .summary('show an operation and its receipt')
    .argument('<id>', 'the id of the operation')
    .option('--moves', 'list every conversation that moved or was skipped')
    .action((id: string, options: { moves?: true }) => show(session, id, options.moves === true));
}

async function list({ context, campaign, names }: CampaignSession, limit: number): Promise<Output> {
  const operations = await context.operationViews.listOperations(campaign.campaignId, limit);
  const rows = operations.map(({ operationId, request, state, receipt, acceptedAt }) => [
    operationId,
    request.kind,
    fromText(request, names),
    toText(request, names),
    state,
    receipt?.moved ?? 0,
    receipt ? receipt.selected - receipt.moved : 0,
    moment(acceptedAt),
  ]);
  const text = table(['operation', 'kind', 'from', 'to', 'state', 'moved', 'skipped', 'accepted'], rows);
  return { json: { campaignId: campaign.campaignId, operations: operations.map(operationJson) }, text };
}

async function show(session: Session, id: string, withMoves: boolean): Promise<void> {
  const context = await session.context();
  const { operationViews } = context;
  const operation = await operationViews.findOperation(id);
  if (!operation) throw unknownOperation(id);
  const names = new AssigneeNames(await listTexters(context, operation.campaignId));
  const output = { json: operationJson(operation), text: operationText(operation, names) };
  if (!withMoves) return session.print(output);
  // Written while they are read: a large operation has as many moves as conversations.
  const batches = operationViews.batchesOf(id);
  const pieces = session.json ? movesJson(operation, batches) : movesText(operation, batches, names);
  await pipeline(pieces, session.terminal.stdout, { end: false });
}

/** The public fields of an operation. Its other fields are internal. */
function operationJson(operation: AnyOperation) {
  const { operationId, campaignId, request, state, acceptedAt, startedAt, endedAt } = operation;
  const { error, failures, cancellation, receipt } = operation;
  const times = { acceptedAt, startedAt, endedAt };
  return { operationId, campaignId, state, request, ...times, error, failures, cancellation, receipt };
}

/** The JSON document of the operation, with its batches as the last field. */
async function* movesJson(operation: AnyOperation, batches: AsyncIterable<StoredBatch>): AsyncGenerator<string> {
  const { granted } = operation;
  const head = JSON.stringify({ ...operationJson(operation), ...(granted && { granted }) });
  yield `${head.slice(0, -1)},"batches":[`;
  let separator = '\n';
  for await (const { number, state, moves, skips } of batches) {
    yield separator + JSON.stringify({ number, state, moves, skips });
    separator = ',\n';
  }
  yield '\n]}\n';
}

async function* movesText(
  operation: AnyOperation,
  batches: AsyncIterable<StoredBatch>,
  names: AssigneeNames,
): AsyncGenerator<string> {
  const { granted = [], request } = operation;
  yield `${operationText(operation, names)}\n\n`;
  for (const id of granted) yield `${id}  pool → ${toText(request, names)}\n`;
  for await (const batch of batches) yield batchText(batch, names);
}

function batchText({ number, state, moves, skips }: StoredBatch, names: AssigneeNames): string {
  const end = state === 'applied' ? '\n' : `  (${state})\n`;
  const line = (id: string, what: string): string => `${number}  ${id}  ${what}${end}`;
  const moved = moves.flatMap(({ from, to, conversationIds }) =>
    conversationIds.map((id) => line(id, `${names.of(from)} → ${names.of(to)}`)),
  );
  const skipped = skips.flatMap(({ reason, conversationIds }) =>
    conversationIds.map((id) => line(id, `skipped: ${reason}`)),
  );
  return [...moved, ...skipped].join('');
}
