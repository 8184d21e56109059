import type { Command } from 'commander';
import { erase, findPerson, type EraseAnswer } from '../../contacts/index.ts';
import type { Session } from '../session.ts';
import { counted, type Output } from '../terminal.ts';
import { addPersonOptions, personOf, type PersonOptions } from './person.ts';

interface EraseOptions extends PersonOptions {
  readonly yes?: true;
}

export function addErase(program: Command, session: Session): void {
  const command = program
    .command('erase')
    .description(
      'Lists the conversations of the person that it would erase; with --yes it erases them. Their name, phone number and ' +
        'external id are removed from the campaign, its operations and the queues. The conversations stay, closed and ' +
        'opted out, so that counts and receipts stay true. No import brings the number back. This cannot be undone.',
    );
  addPersonOptions(command)
    .option('--yes', 'erase the person')
    .action(async (campaign: string, options: EraseOptions) =>
      session.print(await eraseOne(session, campaign, options)),
    );
}

async function eraseOne(session: Session, campaign: string, options: EraseOptions): Promise<Output> {
  const context = await session.context();
  const request = await personOf(context, campaign, options);
  if (options.yes) {
    const { withPersonInQueues } = await import('../../contacts/index.ts');
    const queues = await session.ownQueues();
    return erasedOutput(
      await withPersonInQueues(queues, (inQueues) => erase({ ...context, queues: inQueues }, request)),
    );
  }
  const { campaignId } = request;
  const conversationIds = (await findPerson(context, request)).map(({ conversationId }) => conversationId);
  const would = `Would erase one person (${counted(conversationIds.length, 'conversation')}). Nothing was changed; --yes erases.`;
  return { json: { dryRun: true, campaignId, conversationIds }, text: `${would}\n${conversationIds.join('\n')}` };
}

function erasedOutput(answer: EraseAnswer): Output {
  const { conversationIds, changed } = answer;
  const what = `${counted(conversationIds.length, 'conversation')}, ${changed} changed`;
  return { json: { dryRun: false, ...answer }, text: `The person is erased (${what}).\n${conversationIds.join('\n')}` };
}
