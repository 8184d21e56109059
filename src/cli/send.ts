import pTimeout from 'p-timeout';
import { STATUSES } from '../domain/conversation.ts';
import { sumOf, type Receipt } from '../domain/receipt.ts';
import { countSelected, type OperationRequest, type Plan } from '../operations/index.ts';
import { sendRequest, type OperationResult, type Sent } from '../producer/index.ts';
import { OPERATIONS_QUEUE } from '../queue/job.ts';
import type { AssigneeNames } from './assignee-names.ts';
import { blocks, laidOut, unbroken } from './layout.ts';
import { receiptText, type Loads } from './receipt-text.ts';
import type { Session } from './session.ts';
import { isInteractive, type Output, type Text } from './terminal.ts';
import { waitFor } from './waiting.ts';

/** The receipt does not wait longer for the present numbers of its assignees. */
const COUNT_MS_MAX = 2_000;

export interface SendOptions {
  /** `undefined`: do not wait for the result. */
  readonly waitMs: number | undefined;
  readonly names: AssigneeNames;
  /** The plan of a new operation; it gives the total for the progress bar. */
  readonly plan: Plan | undefined;
}

/** Sends a checked request to the workers and waits for its receipt. */
export async function sendOperation(
  session: Session,
  request: OperationRequest,
  { waitMs, names, plan }: SendOptions,
): Promise<Output> {
  const { operationId } = request;
  const sent = await sendRequest(await session.producer(), request);
  if (waitMs === undefined) {
    const text = `Sent as operation ${operationId}.\nTo see the result: baton operation ${operationId}`;
    return { json: { operationId, state: 'sent' }, text };
  }
  if (isInteractive(session.terminal)) session.note(`sent operation ${operationId}; it continues if you stop waiting`);
  const result = await waitForResult(session, sent, waitMs, await totalOf(session, request, plan));
  const loads = await loadsNow(session, request.campaignId, result.receipt);
  return { json: result, text: resultText(result, names, loads) };
}

/** Counts the conversations that will be selected, for the progress bar. Returns 0 where no bar is shown. */
async function totalOf(session: Session, request: OperationRequest, plan: Plan | undefined): Promise<number> {
  if (!plan || !isInteractive(session.terminal)) return 0;
  const { stores } = await session.context();
  return countSelected(stores, request, plan);
}

async function waitForResult(session: Session, sent: Sent, waitMs: number, total: number): Promise<OperationResult> {
  const awaited = { queue: OPERATIONS_QUEUE, operationId: sent.operationId, what: 'the operation' };
  const wait = (onMoved: (moved: number) => void): Promise<OperationResult> =>
    sent.result({ waitMs, onProgress: (progress) => onMoved(movedIn(progress)) });
  return waitFor(session, awaited, wait, total);
}

function movedIn(progress: unknown): number {
  const moved = typeof progress === 'object' && progress !== null && 'moved' in progress ? progress.moved : 0;
  return typeof moved === 'number' ? moved : 0;
}

/** One line for one conversation. */
function resultText(result: OperationResult, names: AssigneeNames, loads: Loads | undefined): Text {
  const { operationId, outcome, state, receipt } = result;
  const text = receiptText(receipt, names, loads);
  if (outcome === 'exists') {
    const how = state === 'cancelled' ? 'It was cancelled. ' : '';
    const stored = `Operation ${operationId} was sent before. ${how}This is its stored receipt; nothing was moved again.`;
    return blocks(stored, text);
  }
  const undo = receipt.moved > 0 ? ` To take it back: ${unbroken(`baton undo ${operationId}`)}` : '';
  if (state === 'cancelled') return blocks(`Operation ${operationId} was cancelled.${undo}`, text);
  const isOne = receipt.selected === 1;
  if (isOne) return `${laidOut(text, Infinity)} (operation ${operationId})`;
  return blocks(text, `Operation ${operationId} is done.${undo}`);
}

/** Counts what the assignees of a receipt have now. Returns `undefined` when that takes long. */
async function loadsNow(session: Session, campaignId: string, receipt: Receipt): Promise<Loads | undefined> {
  const assignees = [...new Set([...receipt.bySource, ...receipt.byTarget].map(({ assigneeId }) => assigneeId))];
  if (session.json || assignees.length === 0) return undefined;
  const { stores } = await session.context();
  const counting = stores.conversations.countByAssignee(campaignId, { assignees, statuses: STATUSES });
  const counts = await pTimeout(counting, { milliseconds: COUNT_MS_MAX, fallback: () => undefined });
  return counts && new Map(assignees.map((id) => [id, sumOf(counts.filter(({ assigneeId }) => assigneeId === id))]));
}
