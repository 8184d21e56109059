import { creditsAfter } from '../domain/credits.ts';
import type { MoveCount, OverLimit, Receipt } from '../domain/receipt.ts';
import { countLimited, overLimits } from './limits.ts';
import type { Operation } from './operation.ts';
import type { Ending, Stores } from './ports.ts';

/** What the receipt says of a deal besides its counts, and the credits that the deal leaves. */
interface DealNotes {
  readonly notes: {
    readonly pausedTargets?: readonly string[];
    readonly overLimit?: readonly OverLimit[];
    readonly shortBecause?: NonNullable<Receipt['shortBecause']>;
  };
  readonly credits: Pick<Ending, 'creditsAfter'>;
}

export const NO_DEAL: DealNotes = { notes: {}, credits: {} };

/** Describes the deal of an operation that ends for good. `moves` counts what was written. */
export async function describeDeal(
  stores: Stores,
  operation: Operation,
  moves: readonly MoveCount[],
): Promise<DealNotes> {
  const paused = await pausedTargets(stores, operation);
  const isShort = operation.plan?.numbers !== undefined && paused.length > 0;
  return {
    notes: {
      pausedTargets: paused,
      overLimit: await overLimit(stores, operation, moves),
      ...(isShort && { shortBecause: 'texter-inactive' }),
    },
    credits: newCredits(operation, moves, paused),
  };
}

function newCredits(
  { plan }: Operation,
  moves: readonly MoveCount[],
  paused: readonly string[],
): Pick<Ending, 'creditsAfter'> {
  if (!plan?.credits || plan.targets.length < 2 || moves.length === 0) return {};
  const dealt = { ...plan, ...(plan.surplus && { shares: plan.surplus.shares }) };
  return { creditsAfter: (stored) => creditsAfter(stored, dealt, moves, new Set(paused)) };
}

/** Returns the targets that could not receive until the end. */
async function pausedTargets(stores: Stores, { campaignId, plan }: Operation): Promise<string[]> {
  if (!plan || !(plan.credits ?? plan.numbers)) return [];
  const texters = await stores.texters.list(campaignId);
  const active = new Set(texters.filter((texter) => texter.active).map(({ texterId }) => texterId));
  const targets = plan.targets.filter((target) => target !== null);
  return [...(plan.leftOut ?? []), ...targets.filter((target) => !active.has(target))];
}

/** Returns the texters who received conversations and have more now than claims would give. */
async function overLimit(
  { conversations }: Stores,
  { campaignId, plan }: Operation,
  moves: readonly MoveCount[],
): Promise<OverLimit[]> {
  const receivers = [...new Set(moves.flatMap(({ to }) => to ?? []))];
  if (!plan?.limits || receivers.length === 0) return [];
  return overLimits(plan.limits, receivers, await countLimited(conversations, campaignId, receivers));
}
