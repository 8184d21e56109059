import type { Command } from 'commander';
import type { CancelAnswer } from '../../operations/index.ts';
import { DEFAULT_WAIT_S, sceneOf } from '../bulk.ts';
import { waitMsOf } from '../input.ts';
import { blocks, type Answer } from '../output.ts';
import { receiptText } from '../receipt.ts';
import type { AssigneeNames } from '../assignees.ts';
import type { Session } from '../session.ts';
import { withAsker } from './reassign.ts';
import { campaignOf } from './undo.ts';

interface CancelOptions {
  readonly campaign?: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly wait: string;
}

export function addCancel(program: Command, session: Session): void {
  const command = program
    .command('cancel')
    .summary('stop an operation where it is')
    .description('Stops an operation, or a claim that waits, within one batch. What has moved stays moved: see undo.')
    .argument('<operation>', 'the id of the operation to stop')
    .option('--campaign <campaign>', 'its campaign, by id or exact name; needed when no worker has taken it up yet')
    .option('--wait <seconds>', 'how long to wait for the answer', DEFAULT_WAIT_S);
  withAsker(command).action(async (operationId: string, options: CancelOptions) =>
    session.answer(await cancel(session, operationId, options)),
  );
}

async function cancel(session: Session, operationId: string, options: CancelOptions): Promise<Answer> {
  const waitMs = waitMsOf(options.wait);
  const { campaign, names } = await sceneOf(session, options.campaign ?? (await campaignOf(session, operationId)));
  const { actor: actorId, reason } = options;
  const request = { operationId, campaignId: campaign.campaignId, actorId, reason };
  const answer = await session.producer().cancel(request, { waitMs });
  return { json: answer, text: cancelText(answer, names) };
}

function cancelText({ operationId, receipt }: CancelAnswer, names: AssigneeNames): string {
  const how = `To give back what had moved: baton undo ${operationId}`;
  return blocks(`Operation ${operationId} is cancelled.`, receiptText(receipt, names), receipt.moved > 0 && how);
}
