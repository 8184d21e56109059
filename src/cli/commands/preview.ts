import type { Command } from 'commander';
import { DEFAULT_WAIT_S, sceneOf, type Scene } from '../bulk.ts';
import { misused } from '../input.ts';
import type { Answer } from '../output.ts';
import type { Session } from '../session.ts';
import { reassign } from './reassign.ts';
import { unassign } from './unassign.ts';

interface PreviewOptions {
  readonly from: string;
  readonly to: string;
  readonly status?: string;
  readonly count?: string;
  readonly spread?: string;
}

export function addPreview(program: Command, session: Session): void {
  program
    .command('preview')
    .summary('say what a reassign or unassign would do')
    .description('Says what would move and what each would then hold. Changes nothing, and needs no worker.')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .requiredOption('--from <assignees>', 'pool, everyone, or texters by id or name: A,B')
    .requiredOption('--to <assignees>', 'everyone, texters by id or name: A,B, or pool to unassign')
    .option('--status <status>', 'any, needs-reply, not-started, in-progress, awaiting-contact or closed')
    .option('--count <n>', 'how many to move; without it, all')
    .option('--spread <how>', 'even: each target is dealt as many; level: the least loaded is filled first')
    .action(async (campaign: string, options: PreviewOptions) =>
      session.answer(await previewOf(await sceneOf(session, campaign), options)),
    );
}

async function previewOf(scene: Scene, options: PreviewOptions): Promise<Answer> {
  const asPreview = { ...options, preview: true, wait: DEFAULT_WAIT_S } as const;
  if (options.to !== 'pool') return reassign(scene, asPreview);
  if (options.spread !== undefined) throw misused('no --spread: the pool is one', options.spread);
  return unassign(scene, asPreview);
}
