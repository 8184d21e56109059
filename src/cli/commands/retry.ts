import type { Command } from 'commander';
import { type FailedOperation, failedOperations, findFailed, retry, type RetryDeps } from '../../reconcile/index.ts';
import { failedOperationsTable, withFailedOperations } from '../failed-operations.ts';
import { misused } from '../input.ts';
import { blocks, counted, type Answer } from '../output.ts';
import type { Session } from '../session.ts';
import { campaignIdOf } from './failed.ts';

interface RetryOptions {
  readonly all?: true;
  readonly campaign?: string;
  readonly yes?: true;
}

export function addRetry(program: Command, session: Session): void {
  program
    .command('retry')
    .summary('take up again what was given up, where it stopped')
    .description(
      'Says which operations and claims it would take up again; with --yes it does. Each goes on where it stopped, ' +
        'behind what its campaign was asked for meanwhile. What was refused cannot be retried: send it under a new id.',
    )
    .argument('[operation...]', 'which, by id')
    .option('--all', 'everything that was given up')
    .option('--campaign <campaign>', 'everything of this campaign, by id or exact name')
    .option('--yes', 'do it')
    .action(async (ids: string[], options: RetryOptions) => session.answer(await retryCommand(session, ids, options)));
}

async function retryCommand(session: Session, ids: readonly string[], options: RetryOptions): Promise<Answer> {
  const isBroad = options.all === true || options.campaign !== undefined;
  if (isBroad === ids.length > 0) {
    throw misused('either ids of operations, or --all or --campaign', isBroad ? 'both' : 'neither');
  }
  const campaignId = await campaignIdOf(session, options.campaign);
  return withFailedOperations(session, async (deps) => {
    const chosen = ids.length > 0 ? await named(deps, ids) : await every(deps, campaignId);
    return options.yes ? told(await takeUp(deps, chosen)) : dryRun(chosen);
  });
}

async function every(deps: RetryDeps, campaignId: string | undefined): Promise<FailedOperation[]> {
  const found: FailedOperation[] = [];
  for await (const each of failedOperations(deps, campaignId)) found.push(each);
  return found;
}

/** All of them are looked at before any is taken up: one that cannot be refuses the lot. */
async function named(deps: RetryDeps, ids: readonly string[]): Promise<FailedOperation[]> {
  const found: FailedOperation[] = [];
  for (const id of new Set(ids)) found.push(await findFailed(deps, id));
  return found;
}

interface Retried {
  readonly operationId: string;
  /** False when somebody else has taken it up meanwhile. */
  readonly isTakenUp: boolean;
}

async function takeUp(deps: RetryDeps, chosen: readonly FailedOperation[]): Promise<Retried[]> {
  const retried: Retried[] = [];
  for (const each of chosen) {
    retried.push({ operationId: each.operationId, isTakenUp: await retry(deps, each) });
  }
  return retried;
}

function dryRun(chosen: readonly FailedOperation[]): Answer {
  const would = `Would take up ${counted(chosen.length, 'operation')} again. Nothing was changed; --yes does it.`;
  const text = blocks(chosen.length > 0 && failedOperationsTable(chosen), would);
  return { json: { dryRun: true, operations: chosen }, text };
}

function told(retried: readonly Retried[]): Answer {
  const lines = retried.map(({ operationId, isTakenUp }) =>
    isTakenUp ? operationId : `${operationId}: somebody else has taken it up meanwhile`,
  );
  const count = retried.filter(({ isTakenUp }) => isTakenUp).length;
  const text = blocks(lines.join('\n'), `Took up ${counted(count, 'operation')} again.`);
  return { json: { dryRun: false, operations: retried }, text };
}
