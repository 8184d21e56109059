import type { Assignee } from '../../src/domain/conversation.ts';
import type { ClaimInput } from '../../src/claims/contract.ts';
import {
  STRANGER,
  type AskRequest,
  type ClaimRequest,
  type SourceChoice,
  type TargetChoice,
} from './campaign-requests.ts';
import type { Model } from './model.ts';
import type { AnyRequest } from './send.ts';

/** A claim waits longer than any test: whatever ends it, it is not its deadline. */
const LONG_MS = 3_600_000;
const NO_CONVERSATION = '0123456789abcdef01234567';

type Named = { readonly operationId: string; readonly campaignId: string };

/** Who is meant, counting round and round. */
export function texterMeant(model: Model, number: number): string {
  const { texters } = model;
  return (number === STRANGER ? undefined : texters[number % texters.length]?.texterId) ?? 'stranger';
}

export function conversationMeant(model: Model, number: number): string {
  const ids = [...model.conversations.keys()];
  return ids[number % Math.max(1, ids.length)] ?? NO_CONVERSATION;
}

/** Anything that was asked for before, be it a claim that waits; or what nobody asked for. */
export function askedMeant({ past, waiting }: Model, which: number): string {
  const ids = [...past.keys(), ...waiting.map(({ operationId: claimId }) => claimId)].reverse();
  return (which === STRANGER ? undefined : ids[which % ids.length]) ?? 'nothing';
}

/** The request that a request stands for in a campaign as the model has it. */
export function requestFor(model: Model, request: AskRequest, named: Named): AnyRequest {
  switch (request.does) {
    case 'reassign': {
      const { status, spread } = request;
      const to = targets(model, request.to);
      return {
        kind: 'reassign',
        ...named,
        from: sources(model, request.from),
        to,
        status,
        spread,
        ...counted(request),
      };
    }
    case 'unassign': {
      const from = sources(model, request.from);
      if (from === 'pool') throw new Error('expected texters to unassign from, got the pool');
      const assignees = from === 'everyone' ? model.texters.map(({ texterId }) => texterId) : from.texterIds;
      const confirm = model.select(assignees, request.status).length + (request.confirm ?? 0);
      const isConfirmed = request.count === null && request.confirm !== null && confirm >= 0;
      return {
        kind: 'unassign',
        ...named,
        actorId: 'admin',
        from,
        status: request.status,
        ...counted(request),
        ...(isConfirmed && { confirm }),
      };
    }
    case 'reassign-one': {
      const to = { texterIds: [texterMeant(model, request.to)] as [string] };
      return { kind: 'reassign-one', ...named, ...one(model, request), to };
    }
    case 'unassign-one':
      return { kind: 'unassign-one', ...named, ...one(model, request) };
    case 'undo':
      return { kind: 'undo', ...named, actorId: 'admin', undoes: askedMeant(model, request.which) };
  }
}

export function claimFor(model: Model, request: ClaimRequest, { operationId, campaignId }: Named): ClaimInput {
  return {
    operationId: operationId,
    campaignId,
    texterId: texterMeant(model, request.texter),
    ...counted(request),
    ...(request.waits && { waitMs: LONG_MS }),
  };
}

function counted({ count }: { readonly count: number | null }): { count?: number } {
  return count === null ? {} : { count };
}

function sources(model: Model, request: SourceChoice): 'pool' | 'everyone' | { texterIds: string[] } {
  if (typeof request === 'string') return request;
  return { texterIds: request.map((number) => texterMeant(model, number)) };
}

function targets(model: Model, request: TargetChoice): 'everyone' | { texterIds: string[] } {
  if (request === 'everyone') return request;
  const active = model.texters.filter((texter) => texter.active);
  const among = request.evenPaused || active.length === 0 ? model : { ...model, texters: active };
  return { texterIds: request.texters.map((number) => texterMeant(among as Model, number)) };
}

function one(
  model: Model,
  request: Extract<AskRequest, { readonly conversation: number }>,
): { conversationId: string; expectedAssigneeId?: Assignee } {
  const conversationId = conversationMeant(model, request.conversation);
  const { expected } = request;
  if (expected === 'nobody says') return { conversationId };
  const assignee = model.conversations.get(conversationId)?.assigneeId ?? null;
  return { conversationId, expectedAssigneeId: expected === 'its assignee' ? assignee : texterMeant(model, expected) };
}
