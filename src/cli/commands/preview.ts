import type { Command } from 'commander';
import { misused } from '../errors.ts';
import { openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, countOption, spreadOption, statusOption } from '../options.ts';
import type { Session } from '../session.ts';
import type { Output } from '../terminal.ts';
import { reassign, type Selection } from './reassign.ts';
import { unassign } from './unassign.ts';

interface PreviewOptions extends Selection {
  readonly from: string;
  readonly to: string;
}

export function addPreview(program: Command, session: Session): void {
  program
    .command('preview')
    .description('Shows what would move and what each assignee would then have. Changes nothing and needs no worker.')
    .argument(...CAMPAIGN)
    .requiredOption('--from <assignees>', 'pool, everyone, or texters by id or name: A,B')
    .requiredOption('--to <assignees>', 'everyone, texters by id or name: A,B, or pool to unassign')
    .addOption(statusOption())
    .addOption(countOption('how many to move. Default: all'))
    .addOption(spreadOption())
    .action(async (campaign: string, options: PreviewOptions) =>
      session.print(await preview(await openCampaign(session, campaign), options)),
    );
}

async function preview(of: CampaignSession, options: PreviewOptions): Promise<Output> {
  const previewOptions = { ...options, preview: true, wait: false } as const;
  if (options.to !== 'pool') return reassign(of, previewOptions);
  if (options.spread !== undefined) {
    throw misused('--spread cannot be used with --to pool', { expected: 'no --spread', received: options.spread });
  }
  return unassign(of, previewOptions);
}
