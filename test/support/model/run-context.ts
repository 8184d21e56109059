import { expect } from 'vitest';
import type { Producer } from '../../../src/producer/producer-port.ts';
import type { Harness } from '../harness.ts';
import type { RawQueue } from '../raw-queue.ts';
import { rawConversations } from '../raw.ts';
import { checkDocuments, type RecordedMove } from './document-checks.ts';
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

/** Checks where the next deal of the campaign starts. */
export async function checkRotation({ harness, campaignId, model }: RunContext): Promise<void> {
  const campaign = await harness.context.database.campaigns.findOne({ _id: campaignId });
  expect(campaign?.rotation.nextJoinedOrder).toBe(model.nextJoinedOrder);
}
