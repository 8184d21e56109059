import type { Command } from 'commander';
import { Refusal } from '../../domain/errors.ts';
import { askedOf, DEFAULT_WAIT_S, runOperation, sceneOf, type OperationOptions, type Scene } from '../bulk.ts';
import { assigneeOf, sourcesOf, targetsOf } from '../assignees.ts';
import { misused, numberOrWord } from '../input.ts';
import type { Answer } from '../output.ts';
import { resolveConversation } from '../resolve.ts';
import type { Session } from '../session.ts';

export interface ReassignOptions extends OperationOptions {
  readonly from?: string;
  readonly to: string;
  readonly status?: string;
  readonly count?: string;
  readonly conversation?: string;
  readonly spread?: string;
}

export function addReassign(program: Command, session: Session): void {
  const command = program
    .command('reassign')
    .summary('move conversations to texters')
    .description('Moves conversations from the pool, texters or everyone to one texter, several or everyone.')
    .argument('<campaign>', 'the campaign, by id or exact name')
    .option(
      '--from <assignees>',
      'pool, everyone, or texters by id or name: A,B. With --conversation: its expected assignee',
    )
    .requiredOption('--to <texters>', 'everyone, or texters by id or name: A,B')
    .option('--status <status>', 'any, needs-reply, not-started, in-progress, awaiting-contact or closed')
    .option('--count <n>', 'how many to move; without it, all')
    .option('--conversation <id>', 'move this one only: by id, external id or contact')
    .option('--spread <how>', 'even: each target is dealt as many; level: the least loaded is filled first');
  withOperationOptions(command).action(async (campaign: string, options: ReassignOptions) =>
    session.answer(await reassign(await sceneOf(session, campaign), options)),
  );
}

export function withOperationOptions(command: Command): Command {
  return withSigning(command)
    .option('--preview', 'say what would move, and change nothing')
    .option('--wait <seconds>', 'how long to wait for the end', DEFAULT_WAIT_S)
    .option('--no-wait', "don't wait: print the operation's id");
}

export function withSigning(command: Command): Command {
  return withAsker(
    command.option('--id <id>', 'the operation’s id: sent again, it never takes effect again. Default: a new one'),
  );
}

export function withAsker(command: Command): Command {
  return command
    .option('--actor <id>', 'who asks, as an opaque id; kept with the operation')
    .option('--reason <text>', 'why; kept with the operation. Nothing personal');
}

export async function reassign(scene: Scene, options: ReassignOptions): Promise<Answer> {
  const { from, to, status, count, spread, conversation } = options;
  if (conversation !== undefined) return reassignOne(scene, conversation, options);
  if (from === undefined) throw misused('--from pool, everyone or texters', 'none');
  if (status === undefined) throw misused('--status any, needs-reply, not-started or another', 'none');
  const wanted = {
    kind: 'reassign',
    ...askedOf(scene, options),
    from: sourcesOf(from, scene.texters),
    to: targetsOf(to, scene.texters),
    status,
    count: numberOrWord(count),
    spread,
  };
  return runOperation(scene, wanted, options);
}

async function reassignOne(scene: Scene, word: string, options: ReassignOptions): Promise<Answer> {
  refuseBeside(options, ['status', 'count', 'spread']);
  const targets = targetsOf(options.to, scene.texters);
  if (targets !== 'everyone' && targets.texterIds.length === 0) {
    throw new Refusal('no-targets', { expected: 'a texter to move the conversation to', received: 'an empty list' });
  }
  if (targets === 'everyone' || targets.texterIds.length > 1) {
    throw misused('one texter to move one conversation to', targets === 'everyone' ? targets : targets.texterIds);
  }
  return runOperation(scene, { kind: 'reassign-one', ...(await oneOf(scene, word, options)), to: targets }, options);
}

/** What both operations on one conversation ask for. */
export async function oneOf(scene: Scene, word: string, options: OperationOptions & { readonly from?: string }) {
  const { from } = options;
  if (from === 'everyone') throw misused('pool or one texter as the expected assignee', from);
  return {
    ...askedOf(scene, options),
    conversationId: await resolveConversation(scene.context.views, scene.campaign.campaignId, word),
    expectedAssigneeId: from === undefined ? undefined : assigneeOf(from, scene.texters),
  };
}

export function refuseBeside<Options extends object>(
  options: Options,
  names: readonly (keyof Options & string)[],
): void {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  throw misused('--conversation without options that select several', given.map((name) => `--${name}`).join(' '));
}
