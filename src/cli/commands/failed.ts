import type { Command } from 'commander';
import { type FailedOperation, failedOperations, findFailed, retry, type RetryDeps } from '../../reconcile/index.ts';
import { misused } from '../errors.ts';
import { findCampaign } from '../lookup.ts';
import { limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { blocks, fittedTable } from '../layout.ts';
import { counted, moment, type Output, type Text } from '../terminal.ts';

const COLUMNS = [
  'operation',
  { title: 'kind', spare: 3 },
  { title: 'campaign', spare: 2 },
  { title: 'attempts', spare: 4 },
  { title: 'failed', spare: 1 },
  { title: 'last error', isShortened: true },
] as const;

export function addFailed(program: Command, session: Session): void {
  program
    .command('failed')
    .description(
      'Lists operations and claims that used up all their attempts. `baton operation ID` shows each attempt, and ' +
        '`baton retry` tries them again. Refused operations are not listed: they have a final answer.',
    )
    .argument('[campaign]', 'only this campaign, by id or name')
    .addOption(limitOption(100))
    .action(async (campaign: string | undefined, options: { limit: number }) =>
      session.print(await list(session, campaign, options.limit)),
    );
}

async function list(session: Session, campaign: string | undefined, limit: number): Promise<Output> {
  const campaignId = await campaignIdOf(session, campaign);
  const listed: FailedOperation[] = [];
  const isMore = await withFailedOperations(session, async (deps) => {
    for await (const operation of failedOperations(deps, campaignId)) {
      if (listed.length === limit) return true;
      listed.push(operation);
    }
    return false;
  });
  const count = listed.length === 0 ? 'No failed operations.' : `${counted(listed.length, 'failed operation')}.`;
  const text = blocks(operationsTable(listed), isMore ? `There are more than ${limit}.` : count);
  return { json: { operations: listed, isMore }, text };
}

interface RetryOptions {
  readonly all?: true;
  readonly campaign?: string;
  readonly yes?: true;
}

export function addRetry(program: Command, session: Session): void {
  program
    .command('retry')
    .description(
      'Lists the operations and claims that it would retry; with --yes it retries them. Each continues where it ' +
        'stopped, after the operations that its campaign accepted meanwhile. A refused operation cannot be retried: ' +
        'send the request again with a new id.',
    )
    .argument('[operation...]', 'the ids of operations')
    .option('--all', 'all failed operations')
    .option('--campaign <campaign>', 'all failed operations of this campaign, by id or name')
    .option('--yes', 'retry them')
    .action(async (ids: string[], options: RetryOptions) => session.print(await retryMany(session, ids, options)));
}

async function retryMany(session: Session, ids: readonly string[], options: RetryOptions): Promise<Output> {
  const selectsMany = options.all === true || options.campaign !== undefined;
  const expected = 'either ids of operations, or --all or --campaign';
  if (selectsMany && ids.length > 0) {
    throw misused('ids of operations cannot be combined with --all or --campaign', { expected, received: 'both' });
  }
  if (!selectsMany && ids.length === 0) {
    throw misused('say which operations: ids, --all or --campaign', { expected, received: 'neither' });
  }
  const campaignId = await campaignIdOf(session, options.campaign);
  return withFailedOperations(session, async (deps) => {
    const chosen = selectsMany ? await findAll(deps, campaignId) : await findEach(deps, ids);
    return options.yes ? retriedOutput(await retryEach(deps, chosen)) : dryRunOutput(chosen);
  });
}

async function findAll(deps: RetryDeps, campaignId: string | undefined): Promise<FailedOperation[]> {
  const found: FailedOperation[] = [];
  for await (const operation of failedOperations(deps, campaignId)) found.push(operation);
  return found;
}

/** Finds all operations before any is retried, so that one that cannot be retried refuses the whole command. */
async function findEach(deps: RetryDeps, ids: readonly string[]): Promise<FailedOperation[]> {
  const found: FailedOperation[] = [];
  for (const id of new Set(ids)) found.push(await findFailed(deps, id));
  return found;
}

interface Retried {
  readonly operationId: string;
  /** False when another process retried the operation first. */
  readonly isRetried: boolean;
}

async function retryEach(deps: RetryDeps, chosen: readonly FailedOperation[]): Promise<Retried[]> {
  const retried: Retried[] = [];
  for (const operation of chosen) {
    retried.push({ operationId: operation.operationId, isRetried: await retry(deps, operation) });
  }
  return retried;
}

function dryRunOutput(chosen: readonly FailedOperation[]): Output {
  if (chosen.length === 0) return { json: { dryRun: true, operations: [] }, text: 'No failed operations.' };
  const would = `Would retry ${counted(chosen.length, 'operation')}. Nothing was changed; --yes retries them.`;
  return { json: { dryRun: true, operations: chosen }, text: blocks(operationsTable(chosen), would) };
}

function retriedOutput(retried: readonly Retried[]): Output {
  const lines = retried.map(({ operationId, isRetried }) =>
    isRetried ? operationId : `${operationId}: already retried by another process`,
  );
  const count = retried.filter(({ isRetried }) => isRetried).length;
  const text = blocks(lines.join('\n'), `Retried ${counted(count, 'operation')}.`);
  return { json: { dryRun: false, operations: retried }, text };
}

/** A failed operation is stored in the database, or only its job is in the queue: reads both. */
async function withFailedOperations<Result>(
  session: Session,
  work: (deps: RetryDeps) => Promise<Result>,
): Promise<Result> {
  const { failures, operationViews } = await session.context();
  const { withFailedJobs } = await import('../../reconcile/index.ts');
  return withFailedJobs(await session.ownQueues(), (jobs) => work({ failures, operationViews, jobs }));
}

async function campaignIdOf(session: Session, typed: string | undefined): Promise<string | undefined> {
  if (typed === undefined) return undefined;
  return (await findCampaign(await session.context(), typed)).campaignId;
}

function operationsTable(listed: readonly FailedOperation[]): Text | false {
  const rows = listed.map(({ operationId, kind, campaignId, attempts, failedAt, error }) => [
    operationId,
    kind,
    campaignId,
    attempts,
    moment(failedAt),
    error,
  ]);
  return rows.length > 0 && fittedTable(COLUMNS, rows);
}
