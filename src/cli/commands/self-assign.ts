import type { Command } from 'commander';
import type { ClaimResult } from '../../producer/index.ts';
import { DEFAULT_WAIT_S } from '../bulk.ts';
import { numberOrWord, waitMsOf } from '../input.ts';
import { newId } from '../new-id.ts';
import { blocks, counted, type Answer } from '../output.ts';
import { WHY_SHORT } from '../receipt.ts';
import { resolveCampaign, resolveTexter } from '../resolve.ts';
import type { Session } from '../session.ts';

interface SelfAssignOptions {
  readonly texter: string;
  readonly count?: string;
  readonly id?: string;
  readonly waitForMore?: string;
  readonly wait: string;
}

export function addSelfAssign(program: Command, session: Session): void {
  program
    .command('self-assign')
    .summary('give a texter more not-started conversations from the pool')
    .description('Gives a texter the oldest not-started conversations of the pool, as the campaign’s rules allow.')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .requiredOption('--texter <texter>', 'who asks for more, by id or exact name')
    .option('--count <n>', 'how many; without it, as many as the campaign gives at once')
    .option('--id <id>', 'the claim’s id: sent again, it gives the same list. Default: a new one')
    .option('--wait-for-more <seconds>', 'when the pool is short, wait this long for conversations to come back')
    .option('--wait <seconds>', 'how long to wait for the answer', DEFAULT_WAIT_S)
    .action(async (campaign: string, options: SelfAssignOptions) =>
      session.answer(await selfAssign(session, campaign, options)),
    );
}

async function selfAssign(session: Session, campaignWord: string, options: SelfAssignOptions): Promise<Answer> {
  const { stores } = await session.context();
  const { campaignId } = await resolveCampaign(stores.campaigns, campaignWord);
  const texter = resolveTexter(await stores.texters.list(campaignId), options.texter);
  const count = numberOrWord(options.count) as number | undefined;
  const waitMs = options.waitForMore === undefined ? undefined : waitMsOf(options.waitForMore);
  const claim = {
    operationId: options.id ?? newId('op'),
    campaignId,
    texterId: texter.texterId,
    ...(count !== undefined && { count }),
    ...(waitMs !== undefined && { waitMs }),
  };
  const sent = await session.producer().selfAssign(claim);
  const result = await sent.result({ waitMs: waitMsOf(options.wait) + (waitMs ?? 0) });
  return { json: result, text: claimText(result, texter.name) };
}

function claimText({ operationId, outcome, conversationIds, receipt }: ClaimResult, name: string): string {
  const short = receipt.shortBecause ? `: ${WHY_SHORT[receipt.shortBecause]}` : '';
  const before = outcome === 'exists' ? ' It had been asked for before; this is its answer.' : '';
  const given = counted(conversationIds.length, 'conversation');
  return blocks(`Claim ${operationId} gave ${name} ${given}${short}.${before}`, conversationIds.join('\n'));
}
