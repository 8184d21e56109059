import type { Status } from '../../../src/domain/conversation.ts';
import { ORDER, type ExpectedMove, type Model } from './model.ts';

/** A target of a deal, with its load before the deal. */
interface Receiver {
  readonly texterId: string;
  readonly before: number;
}

const HALVINGS = 100;

export function creditKeyOf(texterId: string, status: Status): string {
  return `${texterId} ${status}`;
}

/**
 * Returns the credits of the campaign after a deal: what each receiver should have got of each status, minus what it got.
 * With `proportional`, each receives the same part of every status.
 */
export function creditsAfterDeal(
  model: Model,
  receivers: readonly Receiver[],
  moves: readonly ExpectedMove[],
  proportional: boolean,
): ReadonlyMap<string, number> {
  const credits = new Map(model.credits);
  const to = new Set(receivers.map(({ texterId }) => texterId));
  const received = moves.filter((move) => to.has(move.to ?? ''));
  const wholes = parts(
    receivers,
    receivers.map(({ before }) => before),
    received.length,
  );
  let levels = receivers.map(({ before }) => before);
  for (const status of ORDER) {
    const ofStatus = received.filter((move) => move.status === status);
    const exact = proportional
      ? wholes.map((whole) => (ofStatus.length * whole) / Math.max(1, received.length))
      : parts(receivers, levels, ofStatus.length);
    levels = levels.map((level, at) => level + (exact[at] ?? 0));
    for (const [at, { texterId }] of receivers.entries()) {
      const got = ofStatus.filter((move) => move.to === texterId).length;
      const key = creditKeyOf(texterId, status);
      credits.set(key, (credits.get(key) ?? 0) + (exact[at] ?? 0) - got);
    }
  }
  return credits;
}

/** Finds the water level by halving the range that it lies in. */
function parts(receivers: readonly Receiver[], levels: readonly number[], amount: number): number[] {
  let low = 0;
  let high = Math.max(0, ...levels) + amount;
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const middle = (low + high) / 2;
    const used = levels.reduce((sum, level) => sum + Math.max(0, middle - level), 0);
    if (used > amount) high = middle;
    else low = middle;
  }
  return receivers.map((_, at) => Math.max(0, low - (levels[at] ?? 0)));
}
