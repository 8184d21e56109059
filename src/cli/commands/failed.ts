import type { Command } from 'commander';
import { type FailedOperation, failedOperations } from '../../reconcile/index.ts';
import { failedOperationsTable, withFailedOperations } from '../failed-operations.ts';
import { limitOf } from '../input.ts';
import { blocks, counted, type Answer } from '../output.ts';
import { resolveCampaign } from '../resolve.ts';
import type { Session } from '../session.ts';

export function addFailed(program: Command, session: Session): void {
  program
    .command('failed')
    .summary('list what was given up')
    .description(
      'Lists operations and claims that were given up after all their attempts. `baton operation ID` shows each attempt, ' +
        '`baton retry` takes them up again. What was refused has its answer and is not listed.',
    )
    .argument('[campaign]', 'only of this campaign, by id or exact name')
    .option('--limit <n>', 'how many at the most', '100')
    .action(async (campaign: string | undefined, options: { limit: string }) =>
      session.answer(await list(session, campaign, limitOf(options.limit))),
    );
}

async function list(session: Session, campaignWord: string | undefined, limit: number): Promise<Answer> {
  const campaignId = await campaignIdOf(session, campaignWord);
  const listed: FailedOperation[] = [];
  const isMore = await withFailedOperations(session, async (deps) => {
    for await (const each of failedOperations(deps, campaignId)) {
      if (listed.length === limit) return true;
      listed.push(each);
    }
    return false;
  });
  const found = listed.length === 0 ? 'Nothing was given up.' : `${counted(listed.length, 'operation')} given up.`;
  const text = blocks(
    listed.length > 0 && failedOperationsTable(listed),
    isMore ? `There are more than ${limit}.` : found,
  );
  return { json: { operations: listed, isMore }, text };
}

export async function campaignIdOf(session: Session, word: string | undefined): Promise<string | undefined> {
  if (word === undefined) return undefined;
  return (await resolveCampaign((await session.context()).stores.campaigns, word)).campaignId;
}
