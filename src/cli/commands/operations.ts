import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import type { StoredBatch } from '../../app/ports.ts';
import { Refusal, shown } from '../../domain/errors.ts';
import type { Operation } from '../../domain/operation.ts';
import type { OperationRequest } from '../../domain/request.ts';
import { sceneOf, type Scene } from '../bulk.ts';
import { HolderNames } from '../holders.ts';
import { limitOf } from '../input.ts';
import { blocks, facts, moment, table, type Answer } from '../output.ts';
import { receiptText } from '../receipt.ts';
import type { Session } from '../session.ts';

export function addOperations(program: Command, session: Session): void {
  program
    .command('operations')
    .summary('list a campaign’s operations, newest first')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .option('--limit <n>', 'how many at the most', '20')
    .action(async (campaign: string, options: { limit: string }) =>
      session.answer(await list(await sceneOf(session, campaign), limitOf(options.limit))),
    );
  program
    .command('operation')
    .summary('show an operation and its receipt')
    .argument('<id>', 'the operation’s id')
    .option('--moves', 'list every conversation that moved or was skipped')
    .action((id: string, options: { moves?: true }) => show(session, id, options.moves === true));
}

async function list({ context, campaign, names }: Scene, limit: number): Promise<Answer> {
  const operations = await context.views.listOperations(campaign.campaignId, limit);
  const rows = operations.map(({ operationId, request, state, receipt, acceptedAt }) => [
    operationId,
    request.kind,
    fromOf(request, names),
    toOf(request, names),
    state,
    receipt?.moved ?? 0,
    receipt ? receipt.selected - receipt.moved : 0,
    moment(acceptedAt),
  ]);
  const text = table(['operation', 'what', 'from', 'to', 'state', 'moved', 'skipped', 'accepted'], rows);
  return { json: { campaignId: campaign.campaignId, operations: operations.map(told) }, text };
}

async function show(session: Session, id: string, withMoves: boolean): Promise<void> {
  const context = await session.context();
  const operation = await context.stores.operations.find(id);
  if (!operation) {
    const expected = 'an operation that a worker has taken up';
    throw new Refusal('unknown-operation', { expected, got: shown(id) });
  }
  const names = new HolderNames(await context.roster.listTexters(operation.campaignId));
  const answer = { json: told(operation), text: operationText(operation, names) };
  if (!withMoves) return session.answer(answer);
  const batches = context.views.batchesOf(id);
  const { stdout } = session.face;
  await (session.json ? writeJson(stdout, answer.json, batches) : writeText(stdout, answer.text, batches, names));
}

/** What matters of it to whoever asks; not how it is kept. */
function told(operation: Operation) {
  const { operationId, campaignId, request, state, acceptedAt, startedAt, endedAt, error, receipt } = operation;
  return { operationId, campaignId, state, request, acceptedAt, startedAt, endedAt, error, receipt };
}

function operationText(operation: Operation, names: HolderNames): string {
  const { request, error, receipt } = operation;
  return blocks(
    facts([
      ['operation', operation.operationId],
      ['campaign', operation.campaignId],
      ['what', request.kind],
      ['from', fromOf(request, names)],
      ['to', toOf(request, names)],
      ...('status' in request ? [['status', request.status] as const] : []),
      ...('count' in request && request.count !== undefined ? [['count', request.count] as const] : []),
      ['state', operation.state],
      ['asked by', request.actorId ?? '–'],
      ['reason', request.reason ?? '–'],
      ['accepted', moment(operation.acceptedAt)],
      ['started', moment(operation.startedAt)],
      ['ended', moment(operation.endedAt)],
    ]),
    error && `It failed: ${error.code}: ${error.message}`,
    receipt && receiptText(receipt, names),
  );
}

function fromOf(request: OperationRequest, names: HolderNames): string {
  if (!('from' in request)) return `conversation ${request.conversationId}`;
  return typeof request.from === 'string' ? request.from : request.from.texterIds.map((id) => names.of(id)).join(', ');
}

function toOf(request: OperationRequest, names: HolderNames): string {
  if (!('to' in request)) return 'pool';
  return typeof request.to === 'string' ? request.to : request.to.texterIds.map((id) => names.of(id)).join(', ');
}

/** One document, though never held as a whole: a large operation has as many moves as conversations. */
async function writeJson(to: Writable, head: object, batches: AsyncIterable<StoredBatch>): Promise<void> {
  const opened = JSON.stringify(head).slice(0, -1);
  await put(to, `${opened},"batches":[`);
  let separator = '\n';
  for await (const { number, state, moves, skips } of batches) {
    await put(to, separator + JSON.stringify({ number, state, moves, skips }));
    separator = ',\n';
  }
  await put(to, '\n]}\n');
}

async function writeText(
  to: Writable,
  head: string,
  batches: AsyncIterable<StoredBatch>,
  names: HolderNames,
): Promise<void> {
  await put(to, `${head}\n\n`);
  for await (const { number, state, moves, skips } of batches) {
    const unapplied = state === 'applied' ? '' : `  (${state})`;
    const moved = moves.flatMap((move) =>
      move.conversationIds.map((id) => `${number}  ${id}  ${names.of(move.from)} → ${names.of(move.to)}${unapplied}\n`),
    );
    const skipped = skips.flatMap(({ reason, conversationIds }) =>
      conversationIds.map((id) => `${number}  ${id}  skipped: ${reason}${unapplied}\n`),
    );
    await put(to, [...moved, ...skipped].join(''));
  }
}

async function put(to: Writable, text: string): Promise<void> {
  if (to.write(text)) return;
  await new Promise((resolve) => to.once('drain', resolve));
}
