import type { Assignee } from '../../../src/domain/conversation.ts';
import type { ClaimInput } from '../../../src/claims/contract.ts';
import type { ModelRequest } from '../any-request.ts';
import type { Model } from './model.ts';
import { UNKNOWN, type ClaimAction, type OperationAction, type SourceChoice, type TargetChoice } from './steps.ts';

/** Longer than any test, so that no claim ends at its deadline. */
const CLAIM_WAIT_MS = 3_600_000;
const UNKNOWN_CONVERSATION_ID = '0123456789abcdef01234567';

type Ids = { readonly operationId: string; readonly campaignId: string };

export function texterIdAt(model: Model, number: number): string {
  const { texters } = model;
  return (number === UNKNOWN ? undefined : texters[number % texters.length]?.texterId) ?? 'unknown';
}

export function conversationIdAt(model: Model, number: number): string {
  const ids = [...model.conversations.keys()];
  return ids[number % Math.max(1, ids.length)] ?? UNKNOWN_CONVERSATION_ID;
}

/** Returns the id of an operation or claim that has ended, or of a waiting claim. */
export function operationIdAt({ past, waiting }: Model, number: number): string {
  const ids = [...past.keys(), ...waiting.map(({ operationId }) => operationId)].reverse();
  return (number === UNKNOWN ? undefined : ids[number % ids.length]) ?? 'unknown';
}

/** Returns the request for an action on the campaign as the model has it now. */
export function requestFor(model: Model, action: OperationAction, ids: Ids): ModelRequest {
  switch (action.does) {
    case 'reassign': {
      const { status, spread } = action;
      const from = sourcesFor(model, action.from);
      return { kind: 'reassign', ...ids, from, to: targetsFor(model, action.to), status, spread, ...countOf(action) };
    }
    case 'unassign':
      return unassignFor(model, action, ids);
    case 'reassign-one': {
      const to = { texterIds: [texterIdAt(model, action.to)] as [string] };
      return { kind: 'reassign-one', ...ids, ...conversationFor(model, action), to };
    }
    case 'unassign-one':
      return { kind: 'unassign-one', ...ids, ...conversationFor(model, action) };
    case 'undo':
      return undoFor(model, action, ids);
  }
}

export function claimFor(model: Model, action: ClaimAction, ids: Ids): ClaimInput {
  return {
    ...ids,
    texterId: texterIdAt(model, action.texter),
    ...countOf(action),
    ...(action.waits && { waitMs: CLAIM_WAIT_MS }),
  };
}

function unassignFor(model: Model, action: OperationAction & { does: 'unassign' }, ids: Ids): ModelRequest {
  const { status } = action;
  const from = sourcesFor(model, action.from);
  if (from === 'pool') throw new Error('an unassign cannot take conversations from the pool');
  const assignees = from === 'everyone' ? model.texters.map(({ texterId }) => texterId) : from.texterIds;
  const confirm = model.select(assignees, status).length + (action.confirm ?? 0);
  const isConfirmed = action.count === null && action.confirm !== null && confirm >= 0;
  const request = { kind: 'unassign', ...ids, actorId: 'admin', from, status, ...countOf(action) } as const;
  return { ...request, ...(isConfirmed && { confirm }) };
}

function undoFor(model: Model, { which, includeWorkedOn }: OperationAction & { does: 'undo' }, ids: Ids): ModelRequest {
  const undoes = operationIdAt(model, which);
  return { kind: 'undo', ...ids, actorId: 'admin', undoes, ...(includeWorkedOn && { includeWorkedOn }) };
}

function countOf({ count }: { readonly count: number | null }): { count?: number } {
  return count === null ? {} : { count };
}

function sourcesFor(model: Model, choice: SourceChoice): 'pool' | 'everyone' | { texterIds: string[] } {
  if (typeof choice === 'string') return choice;
  return { texterIds: choice.map((number) => texterIdAt(model, number)) };
}

function targetsFor(model: Model, choice: TargetChoice): 'everyone' | { texterIds: string[] } {
  if (choice === 'everyone') return choice;
  const active = model.texters.filter((texter) => texter.active);
  const among = choice.evenPaused || active.length === 0 ? model : { ...model, texters: active };
  return { texterIds: choice.texters.map((number) => texterIdAt(among as Model, number)) };
}

function conversationFor(
  model: Model,
  { conversation, expected }: OperationAction & { does: 'reassign-one' | 'unassign-one' },
): { conversationId: string; expectedAssigneeId?: Assignee } {
  const conversationId = conversationIdAt(model, conversation);
  if (expected === 'not given') return { conversationId };
  const assigneeId = model.conversations.get(conversationId)?.assigneeId ?? null;
  return { conversationId, expectedAssigneeId: expected === 'the assignee' ? assigneeId : texterIdAt(model, expected) };
}
