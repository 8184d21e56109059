import { type Command, Option } from 'commander';
import { unknownOperation } from '../../domain/errors.ts';
import { OPERATION_KINDS, type OperationKind } from '../../domain/operation.ts';
import {
  OPERATION_FILTERS,
  type OperationSelection,
  progressOf,
  type ViewedOperation,
} from '../../operations/index.ts';
import type { SentOperation } from '../../reconcile/index.ts';
import type { AssigneeNames } from '../assignee-names.ts';
import { blocks, fittedTable } from '../layout.ts';
import { namesOf, openCampaign, type CampaignSession } from '../lookup.ts';
import { fromText, operationText, sentText, stateText, toText } from '../operation-text.ts';
import { CAMPAIGN, limitOption } from '../options.ts';
import type { Session } from '../session.ts';
import { moment, type Output } from '../terminal.ts';

/** Operations in the queue that no worker has accepted have this state here. */
const SENT = 'sent';
const STATES = [SENT, ...OPERATION_FILTERS] as const;

interface ListOptions {
  readonly limit: number;
  readonly state?: (typeof STATES)[number];
  readonly kind?: OperationKind;
}

const COLUMNS = [
  'operation',
  { title: 'kind', spare: 4 },
  { title: 'from', isShortened: true },
  { title: 'to', isShortened: true },
  'state',
  { title: 'moved', spare: 1 },
  { title: 'skipped', whenUsed: true, spare: 2 },
  { title: 'asked by', whenUsed: true, spare: 3 },
  { title: 'accepted', spare: 5 },
] as const;

export function addOperations(program: Command, session: Session): void {
  program
    .command('operations')
    .description('Lists the operations and claims of a campaign, newest first, with those that wait for a worker.')
    .argument(...CAMPAIGN)
    .addOption(new Option('--state <state>', 'only those in this state').choices([...STATES]))
    .addOption(new Option('--kind <kind>', 'only those of this kind').choices([...OPERATION_KINDS]))
    .addOption(limitOption(20))
    .action(async (campaign: string, options: ListOptions) =>
      session.print(await list(await openCampaign(session, campaign), options)),
    );
}

export function addOperation(program: Command, session: Session): void {
  program
    .command('operation')
    .argument('<id>', 'the id of the operation')
    .action(async (id: string) => session.print(await show(session, id)));
}

async function list(of: CampaignSession, { limit, state, kind }: ListOptions): Promise<Output> {
  const { campaignId } = of.campaign;
  const sent = state === undefined || state === SENT ? await sentOf(of, limit, kind) : [];
  const operations = state === SENT ? [] : await acceptedOf(of, limit - sent.length, { state, kind });
  const rows = [
    ...sent.map((each) => sentRow(each, of.names)),
    ...operations.map((operation) => operationRow(operation, of.names)),
  ];
  const json = { campaignId, sent: sent.map(sentJson), operations: operations.map(operationJson) };
  return { json, text: rows.length > 0 ? fittedTable(COLUMNS, rows) : 'No operations.' };
}

/** Newest first. Without Redis, the list has what the database knows. */
async function sentOf(
  { session, context, campaign }: CampaignSession,
  limit: number,
  kind: OperationKind | undefined,
): Promise<SentOperation[]> {
  try {
    const { listSent } = await import('../../reconcile/index.ts');
    const sent = await listSent(context, session.config.queue, campaign.campaignId);
    const ofKind = sent.filter(({ request }) => kind === undefined || request.kind === kind);
    return ofKind.reverse().slice(0, limit);
  } catch {
    session.note('Redis cannot be reached, so operations that no worker has accepted are not listed');
    return [];
  }
}

async function acceptedOf(
  { context, campaign: { campaignId } }: CampaignSession,
  limit: number,
  selection: OperationSelection,
): Promise<ViewedOperation[]> {
  if (limit <= 0) return [];
  const { operationViews } = context;
  const listed = await operationViews.listOperations(campaignId, limit, selection);
  const placed = await operationViews.withPlaces(campaignId, listed);
  return Promise.all(placed.map((operation) => withProgress(context, operation)));
}

async function withProgress(
  { stores }: CampaignSession['context'],
  operation: ViewedOperation,
): Promise<ViewedOperation> {
  const progress = operation.state === 'running' ? await progressOf(stores, operation.operationId) : undefined;
  return progress ? { ...operation, progress } : operation;
}

function operationRow(operation: ViewedOperation, names: AssigneeNames): (string | number)[] {
  const { operationId, request, receipt, progress, acceptedAt } = operation;
  const skipped = receipt ? receipt.selected - receipt.moved : 0;
  return [
    ...[operationId, request.kind, fromText(request, names), toText(request, names), stateText(operation)],
    ...[receipt?.moved ?? progress?.moved ?? 0, skipped, actorOf(request), moment(acceptedAt)],
  ];
}

function sentRow({ operationId, request, state }: SentOperation, names: AssigneeNames): (string | number)[] {
  const words = [operationId, request.kind, fromText(request, names), toText(request, names), state];
  return [...words, 0, 0, actorOf(request), '–'];
}

function actorOf(request: ViewedOperation['request']): string {
  return ('actorId' in request ? request.actorId : undefined) ?? '';
}

async function show(session: Session, id: string): Promise<Output> {
  const context = await session.context();
  const found = await context.operationViews.findOperation(id);
  if (!found) return showSent(session, id);
  const [operation = found] = await context.operationViews.withPlaces(found.campaignId, [found]);
  const viewed = await withProgress(context, operation);
  const names = await namesOf(context, operation.campaignId);
  return { json: operationJson(viewed), text: operationText(viewed, names) };
}

/** Shows an operation that only the queue knows. */
async function showSent(session: Session, id: string): Promise<Output> {
  const { findSent } = await import('../../reconcile/index.ts');
  const sent = await findSent(session.config.queue, id);
  if (!sent) throw unknownOperation(id);
  const names = await namesOf(await session.context(), sent.campaignId);
  return { json: sentJson(sent), text: blocks(sentText(sent, names)) };
}

/** The public fields of an operation. Its other fields are internal. */
function operationJson(operation: ViewedOperation) {
  const { operationId, campaignId, request, state, ahead, progress, acceptedAt, startedAt, endedAt } = operation;
  const { error, failures, cancellation, receipt } = operation;
  const times = { acceptedAt, startedAt, endedAt };
  return { operationId, campaignId, state, ahead, progress, request, ...times, error, failures, cancellation, receipt };
}

function sentJson({ operationId, campaignId, state, request, sentAt, attempts, lastFailure, error }: SentOperation) {
  return { operationId, campaignId, state, request, sentAt, attempts, lastFailure, error };
}
