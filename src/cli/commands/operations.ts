import type { Command } from 'commander';
import { unknownOperation } from '../../domain/errors.ts';
import type { ViewedOperation } from '../../operations/index.ts';
import { AssigneeNames, listTexters, openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, limitOption } from '../options.ts';
import { fromText, operationText, stateText, toText } from '../receipt-text.ts';
import type { Session } from '../session.ts';
import { moment, table, type Output } from '../terminal.ts';

export function addOperations(program: Command, session: Session): void {
  program
    .command('operations')
    .summary('list operations, newest first')
    .argument(...CAMPAIGN)
    .addOption(limitOption(20))
    .action(async (campaign: string, { limit }: { limit: number }) =>
      session.print(await list(await openCampaign(session, campaign), limit)),
    );
  program
    .command('operation')
    .summary('show an operation and its receipt')
    .argument('<id>', 'the id of the operation')
    .action(async (id: string) => session.print(await show(session, id)));
}

async function list({ context, campaign, names }: CampaignSession, limit: number): Promise<Output> {
  const { campaignId } = campaign;
  const { operationViews } = context;
  const operations = await operationViews.withPlaces(
    campaignId,
    await operationViews.listOperations(campaignId, limit),
  );
  const rows = operations.map((operation) => {
    const { operationId, request, receipt, acceptedAt } = operation;
    const skipped = receipt ? receipt.selected - receipt.moved : 0;
    return [
      ...[operationId, request.kind, fromText(request, names), toText(request, names), stateText(operation)],
      ...[receipt?.moved ?? 0, skipped, moment(acceptedAt)],
    ];
  });
  const text = table(['operation', 'kind', 'from', 'to', 'state', 'moved', 'skipped', 'accepted'], rows);
  return { json: { campaignId, operations: operations.map(operationJson) }, text };
}

async function show(session: Session, id: string): Promise<Output> {
  const context = await session.context();
  const found = await context.operationViews.findOperation(id);
  if (!found) throw unknownOperation(id);
  const [operation = found] = await context.operationViews.withPlaces(found.campaignId, [found]);
  const names = new AssigneeNames(await listTexters(context, operation.campaignId));
  return { json: operationJson(operation), text: operationText(operation, names) };
}

/** The public fields of an operation. Its other fields are internal. */
function operationJson(operation: ViewedOperation) {
  const { operationId, campaignId, request, state, ahead, acceptedAt, startedAt, endedAt } = operation;
  const { error, failures, cancellation, receipt } = operation;
  const times = { acceptedAt, startedAt, endedAt };
  return { operationId, campaignId, state, ahead, request, ...times, error, failures, cancellation, receipt };
}
