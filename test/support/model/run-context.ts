import { expect } from 'vitest';
import type { Credit } from '../../../src/domain/credits.ts';
import type { Producer } from '../../../src/producer/producer-port.ts';
import type { Harness } from '../harness.ts';
import type { RawQueue } from '../raw-queue.ts';
import { rawConversations } from '../raw.ts';
import { checkDocuments, type RecordedMove } from './document-checks.ts';
import { creditKeyOf } from './credit-rules.ts';
import type { Model } from './model.ts';
import type { OutsideChanges } from './outside-changes.ts';

/** The system under test, with two workers. Many campaigns run on it. */
export interface ModelTestSetup {
  readonly harness: Harness;
  /** Simultaneous requests are sent by both producers. */
  readonly otherProducer: Producer;
  readonly operations: RawQueue;
  readonly batchMax: number;
}

/** One campaign, in the real system and in the model. */
export interface RunContext extends ModelTestSetup {
  readonly campaignId: string;
  readonly model: Model;
  readonly outside: OutsideChanges;
}

/** Checks that `act` changes no document except by the moves that it returns. */
export async function checkingDocuments(
  { harness, campaignId, model }: RunContext,
  act: () => Promise<readonly RecordedMove[]>,
): Promise<void> {
  const before = await rawConversations(harness, campaignId);
  const moves = await act();
  const after = await rawConversations(harness, campaignId);
  checkDocuments(before, after, moves);
  for (const [id, { assigneeId }] of after) expect(assigneeId).toBe(model.conversation(id).assigneeId);
}

/** Checks who gets the next remainders of the campaign. */
export async function checkCredits({ harness, campaignId, model }: RunContext): Promise<void> {
  const stored = storedCredits(await harness.context.stores.credits.list(campaignId));
  for (const key of new Set([...stored.keys(), ...model.credits.keys()]))
    expect([key, stored.get(key) ?? 0]).toEqual([key, expect.closeTo(model.creditOf(key), 6)]);
  // Rounded numbers, so that small differences do not add up.
  model.credits = stored;
}

export function storedCredits(credits: readonly Credit[]): ReadonlyMap<string, number> {
  return new Map(credits.map(({ texterId, status, credit }) => [creditKeyOf(texterId, status), credit]));
}
