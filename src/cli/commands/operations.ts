import type { Command } from 'commander';
import { unknownOperation } from '../../domain/errors.ts';
import type { AnyOperation } from '../../operations/index.ts';
import { AssigneeNames, listTexters, openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, limitOption } from '../options.ts';
import { fromText, operationText, toText } from '../receipt-text.ts';
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
  const operations = await context.operationViews.listOperations(campaign.campaignId, limit);
  const rows = operations.map(({ operationId, request, state, receipt, acceptedAt }) => [
    operationId,
    request.kind,
    fromText(request, names),
    toText(request, names),
    state,
    receipt?.moved ?? 0,
    receipt ? receipt.selected - receipt.moved : 0,
    moment(acceptedAt),
  ]);
  const text = table(['operation', 'kind', 'from', 'to', 'state', 'moved', 'skipped', 'accepted'], rows);
  return { json: { campaignId: campaign.campaignId, operations: operations.map(operationJson) }, text };
}

async function show(session: Session, id: string): Promise<Output> {
  const context = await session.context();
  const operation = await context.operationViews.findOperation(id);
  if (!operation) throw unknownOperation(id);
  const names = new AssigneeNames(await listTexters(context, operation.campaignId));
  return { json: operationJson(operation), text: operationText(operation, names) };
}

/** The public fields of an operation. Its other fields are internal. */
function operationJson(operation: AnyOperation) {
  const { operationId, campaignId, request, state, acceptedAt, startedAt, endedAt } = operation;
  const { error, failures, cancellation, receipt } = operation;
  const times = { acceptedAt, startedAt, endedAt };
  return { operationId, campaignId, state, request, ...times, error, failures, cancellation, receipt };
}
