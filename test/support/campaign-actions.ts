import type { Holder } from '../../src/domain/conversation.ts';
import type { ClaimInput } from '../../src/producer/producer-port.ts';
import { STRANGER, type AskWish, type ClaimWish, type SourceWish, type TargetWish } from './campaign-requests.ts';
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
  const ids = [...past.keys(), ...waiting.map(({ claimId }) => claimId)].reverse();
  return (which === STRANGER ? undefined : ids[which % ids.length]) ?? 'nothing';
}

/** The request that a wish stands for in a campaign as the model has it. */
export function requestFor(model: Model, wish: AskWish, named: Named): AnyRequest {
  switch (wish.does) {
    case 'reassign': {
      const { status, spread } = wish;
      const to = targets(model, wish.to);
      return { kind: 'reassign', ...named, from: sources(model, wish.from), to, status, spread, ...counted(wish) };
    }
    case 'unassign': {
      const from = sources(model, wish.from);
      if (from === 'pool') throw new Error('expected texters to unassign from, got the pool');
      const holders = from === 'everyone' ? model.texters.map(({ texterId }) => texterId) : from.texterIds;
      const confirm = model.select(holders, wish.status).length + (wish.confirm ?? 0);
      const isConfirmed = wish.count === null && wish.confirm !== null && confirm >= 0;
      return {
        kind: 'unassign',
        ...named,
        actorId: 'admin',
        from,
        status: wish.status,
        ...counted(wish),
        ...(isConfirmed && { confirm }),
      };
    }
    case 'reassign-one': {
      const to = { texterIds: [texterMeant(model, wish.to)] as [string] };
      return { kind: 'reassign-one', ...named, ...one(model, wish), to };
    }
    case 'unassign-one':
      return { kind: 'unassign-one', ...named, ...one(model, wish) };
    case 'undo':
      return { kind: 'undo', ...named, actorId: 'admin', undoes: askedMeant(model, wish.which) };
  }
}

export function claimFor(model: Model, wish: ClaimWish, { operationId, campaignId }: Named): ClaimInput {
  return {
    claimId: operationId,
    campaignId,
    texterId: texterMeant(model, wish.texter),
    ...counted(wish),
    ...(wish.waits && { waitMs: LONG_MS }),
  };
}

function counted({ count }: { readonly count: number | null }): { count?: number } {
  return count === null ? {} : { count };
}

function sources(model: Model, wish: SourceWish): 'pool' | 'everyone' | { texterIds: string[] } {
  if (typeof wish === 'string') return wish;
  return { texterIds: wish.map((number) => texterMeant(model, number)) };
}

function targets(model: Model, wish: TargetWish): 'everyone' | { texterIds: string[] } {
  if (wish === 'everyone') return wish;
  const active = model.texters.filter((texter) => texter.active);
  const among = wish.evenPaused || active.length === 0 ? model : { ...model, texters: active };
  return { texterIds: wish.texters.map((number) => texterMeant(among as Model, number)) };
}

function one(
  model: Model,
  wish: Extract<AskWish, { readonly conversation: number }>,
): { conversationId: string; expectedHolderId?: Holder } {
  const conversationId = conversationMeant(model, wish.conversation);
  const { expected } = wish;
  if (expected === 'nobody says') return { conversationId };
  const holder = model.conversations.get(conversationId)?.holderId ?? null;
  return { conversationId, expectedHolderId: expected === 'its holder' ? holder : texterMeant(model, expected) };
}
