import type { Command } from 'commander';
import { unknownOperation } from '../../domain/errors.ts';
import { CONTROLS_QUEUE } from '../../queue/job.ts';
import type { CancelAnswer } from '../../operations/index.ts';
import {
  actorOf,
  addActorOptions,
  addOperationOptions,
  waitOption,
  type ActorOptions,
  type OperationOptions,
} from '../options.ts';
import { misused } from '../errors.ts';
import type { AssigneeNames } from '../assignee-names.ts';
import { blocks } from '../layout.ts';
import { openCampaign } from '../lookup.ts';
import { receiptText } from '../receipt-text.ts';
import { commonFields, runOperation } from '../run-operation.ts';
import type { Session } from '../session.ts';
import { counted, plain, type Output, type Text } from '../terminal.ts';
import { waitFor } from '../waiting.ts';

interface CancelOptions extends ActorOptions {
  readonly campaign?: string;
  readonly queued?: true;
  readonly wait: number;
}

interface UndoOptions extends OperationOptions {
  readonly includeWorkedOn?: true;
}

export function addCancel(program: Command, session: Session): void {
  const command = program
    .command('cancel')
    .description(
      'Stops an operation after the transactions in progress, or a waiting claim at once. What has moved stays moved: see undo.',
    )
    .argument('[operation]', 'the id of the operation to stop')
    .option('--campaign <campaign>', 'its campaign, by id or name')
    .option('--queued', 'with --campaign: cancel all accepted operations of the campaign that wait for others')
    .addOption(waitOption());
  addActorOptions(command).action(async (operationId: string | undefined, options: CancelOptions) => {
    if (options.queued) return session.print(await cancelQueued(session, operationId, options));
    if (operationId !== undefined) return session.print(await cancel(session, operationId, options));
    const expected = 'the id of an operation, or --campaign with --queued';
    throw misused(`say what to cancel: ${expected}`, { expected, received: 'neither' });
  });
}

async function cancelQueued(
  session: Session,
  operationId: string | undefined,
  options: CancelOptions,
): Promise<Output> {
  const expected = '--campaign with --queued, and no operation';
  if (operationId !== undefined || options.campaign === undefined) {
    const received = operationId === undefined ? 'no campaign' : 'an operation and --queued';
    throw misused(`--queued cancels what waits in one campaign: use ${expected}`, { expected, received });
  }
  const { campaign } = await openCampaign(session, options.campaign);
  const { campaignId, name } = campaign;
  const request = { campaignId, actorId: actorOf(session, options), reason: options.reason };
  const producer = await session.producer();
  const awaited = { queue: CONTROLS_QUEUE, operationId: null, what: 'the cancellation' };
  const answer = await waitFor(session, awaited, () =>
    producer.cancelQueued(request, { waitMs: options.wait * 1_000 }),
  );
  const cancelled = `Cancelled ${counted(answer.cancelled, 'waiting operation')} of ${plain(name)}.`;
  const text = `${cancelled} The one that runs continues. Those that no worker has accepted yet are not cancelled.`;
  return { json: answer, text };
}

async function cancel(session: Session, operationId: string, options: CancelOptions): Promise<Output> {
  const typed = options.campaign ?? `id=${await campaignIdOf(session, operationId)}`;
  const { campaign, names } = await openCampaign(session, typed);
  const { reason } = options;
  const request = { operationId, campaignId: campaign.campaignId, actorId: actorOf(session, options), reason };
  const producer = await session.producer();
  const awaited = { queue: CONTROLS_QUEUE, operationId, what: 'the cancellation' };
  const answer = await waitFor(session, awaited, () => producer.cancel(request, { waitMs: options.wait * 1_000 }));
  return { json: answer, text: cancelText(answer, names) };
}

function cancelText({ operationId, receipt }: CancelAnswer, names: AssigneeNames): Text {
  const how = `To undo what had moved: baton undo ${operationId}`;
  return blocks(`Operation ${operationId} is cancelled.`, receiptText(receipt, names), receipt.moved > 0 && how);
}

export function addUndo(program: Command, session: Session): void {
  const command = program
    .command('undo')
    .description(
      'Moves conversations back to where they were before an operation or a claim. Skips those that have moved since, and ' +
        'those whose status or messages have changed since.',
    )
    .argument('<operation>', 'the id of the operation to undo, which may itself be an undo')
    .option('--include-worked-on', 'also move back those whose status or messages have changed since');
  addOperationOptions(command).action(async (undoes: string, options: UndoOptions) => {
    const of = await openCampaign(session, `id=${await campaignIdOf(session, undoes)}`);
    const { includeWorkedOn = false } = options;
    const request = { kind: 'undo', ...commonFields(of, options), undoes, includeWorkedOn };
    session.print(await runOperation(of, request, options));
  });
}

/** People name an operation by its id alone, without its campaign. */
async function campaignIdOf(session: Session, operationId: string): Promise<string> {
  const { operationViews } = await session.context();
  const accepted = await operationViews.findOperation(operationId);
  if (accepted) return accepted.campaignId;
  const { findSent } = await import('../../reconcile/index.ts');
  const sent = await findSent(session.config.queue, operationId);
  if (!sent) throw unknownOperation(operationId);
  return sent.campaignId;
}
