import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import type { StoredBatch } from '../../operations/index.ts';
import type { AnyOperation } from '../../operations/index.ts';
import { Refusal, shown } from '../../domain/errors.ts';
import { sceneOf, type Scene } from '../bulk.ts';
import { AssigneeNames } from '../assignees.ts';
import { limitOf } from '../input.ts';
import { entryText, fromOf, toOf } from '../operation-text.ts';
import { moment, table, type Answer } from '../output.ts';
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
  const operations = await context.operationViews.listOperations(campaign.campaignId, limit);
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
  const entry = await context.operationViews.findOperation(id);
  if (!entry) {
    const expected = 'an operation that a worker has taken up';
    throw new Refusal('unknown-operation', { expected, received: shown(id) });
  }
  const names = new AssigneeNames(await context.stores.texters.list(entry.campaignId));
  const answer = { json: told(entry), text: entryText(entry, names) };
  if (!withMoves) return session.answer(answer);
  const moves = new Moves(entry, context.operationViews.batchesOf(id), names);
  await (session.json ? moves.writeJson(session.terminal.stdout) : moves.writeText(session.terminal.stdout));
}

/** What matters of it to whoever asks; not how it is kept. */
function told(entry: AnyOperation) {
  const { operationId, campaignId, request, state, acceptedAt, startedAt, endedAt } = entry;
  const { error, failures, cancellation, receipt } = entry;
  const times = { acceptedAt, startedAt, endedAt };
  return { operationId, campaignId, state, request, ...times, error, failures, cancellation, receipt };
}

/** Written as they are read: a large operation has as many moves as conversations. */
class Moves {
  private readonly entry: AnyOperation;
  private readonly batches: AsyncIterable<StoredBatch>;
  private readonly names: AssigneeNames;

  constructor(entry: AnyOperation, batches: AsyncIterable<StoredBatch>, names: AssigneeNames) {
    this.entry = entry;
    this.batches = batches;
    this.names = names;
  }

  /** One document: the operation's own, with its batches as a last field. */
  async writeJson(to: Writable): Promise<void> {
    const { granted } = this.entry;
    const head = JSON.stringify({ ...told(this.entry), ...(granted && { granted }) });
    await put(to, `${head.slice(0, -1)},"batches":[`);
    let separator = '\n';
    for await (const { number, state, moves, skips } of this.batches) {
      await put(to, separator + JSON.stringify({ number, state, moves, skips }));
      separator = ',\n';
    }
    await put(to, '\n]}\n');
  }

  async writeText(to: Writable): Promise<void> {
    const { granted = [], request } = this.entry;
    await put(to, `${entryText(this.entry, this.names)}\n\n`);
    await put(to, granted.map((id) => `${id}  pool → ${toOf(request, this.names)}\n`).join(''));
    for await (const batch of this.batches) await put(to, this.linesOf(batch).join(''));
  }

  private linesOf({ number, state, moves, skips }: StoredBatch): string[] {
    const end = state === 'applied' ? '\n' : `  (${state})\n`;
    const line = (id: string, what: string): string => `${number}  ${id}  ${what}${end}`;
    const moved = moves.flatMap(({ from, to, conversationIds }) =>
      conversationIds.map((id) => line(id, `${this.names.of(from)} → ${this.names.of(to)}`)),
    );
    const skipped = skips.flatMap(({ reason, conversationIds }) =>
      conversationIds.map((id) => line(id, `skipped: ${reason}`)),
    );
    return [...moved, ...skipped];
  }
}

async function put(to: Writable, text: string): Promise<void> {
  if (to.write(text)) return;
  await new Promise((resolve) => to.once('drain', resolve));
}
