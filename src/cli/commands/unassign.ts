import type { Command } from 'commander';
import { askedOf, runOperation, sceneOf, type OperationOptions, type Scene } from '../bulk.ts';
import { sourcesOf } from '../assignees.ts';
import { misused, numberOrWord } from '../input.ts';
import type { Answer } from '../output.ts';
import type { Session } from '../session.ts';
import { oneOf, refuseBeside, withOperationOptions } from './reassign.ts';

export interface UnassignOptions extends OperationOptions {
  readonly from?: string;
  readonly status?: string;
  readonly count?: string;
  readonly confirm?: string;
  readonly conversation?: string;
}

export function addUnassign(program: Command, session: Session): void {
  const command = program
    .command('unassign')
    .summary('release conversations to the pool')
    .description('Releases texters’ conversations to the pool. Releasing all of somebody’s must be confirmed.')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .option('--from <texters>', 'everyone, or texters by id or name: A,B. With --conversation: its expected assignee')
    .option('--status <status>', 'any (the default), needs-reply, not-started, in-progress, awaiting-contact or closed')
    .option('--count <n>', 'how many to release; without it, all')
    .option('--confirm <count>', 'the number that would be released, to release all; refused when there are more')
    .option('--conversation <id>', 'release this one only: by id, external id or contact');
  withOperationOptions(command).action(async (campaign: string, options: UnassignOptions) =>
    session.answer(await unassign(await sceneOf(session, campaign), options)),
  );
}

export async function unassign(scene: Scene, options: UnassignOptions): Promise<Answer> {
  const { from, status, count, confirm, conversation } = options;
  if (conversation !== undefined) {
    refuseBeside(options, ['status', 'count', 'confirm']);
    return runOperation(scene, { kind: 'unassign-one', ...(await oneOf(scene, conversation, options)) }, options);
  }
  if (from === undefined) throw misused('--from everyone or texters', 'none');
  if (from === 'pool') throw misused('texters or everyone to unassign from', 'the pool, whose are unassigned');
  const wanted = {
    kind: 'unassign',
    ...askedOf(scene, options),
    from: sourcesOf(from, scene.texters),
    status: status ?? 'any',
    count: numberOrWord(count),
    confirm: numberOrWord(confirm),
  };
  return runOperation(scene, wanted, options);
}
