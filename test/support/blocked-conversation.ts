import { Types, type mongo } from 'mongoose';
import { conversationDoc } from './documents.ts';
import type { Harness } from './harness.ts';

export interface Block {
  remove(): Promise<void>;
}

/**
 * Blocks every move of one conversation with an uncommitted write to it, until the block is removed. A test can then act
 * in the middle of an operation, however fast the machine is. A round of claims passes over such a conversation.
 */
export function blockMoves(harness: Harness, conversationId: string): Promise<Block> {
  const { conversations } = harness.context.database;
  const filter = { _id: new Types.ObjectId(conversationId) };
  return block(harness, (session) =>
    conversations.updateOne(filter, { $set: { lastInboundAt: new Date() } }, { session }),
  );
}

/** Blocks every round of claims that has a claim of the texter. */
export function blockClaims(harness: Harness, campaignId: string, texterId: string): Promise<Block> {
  const { texters } = harness.context.database;
  return block(harness, (session) => texters.updateOne({ campaignId, texterId }, { $inc: { fence: 1 } }, { session }));
}

/** Blocks every import of the contact who has the phone number `phoneOf(number)`. */
export function blockImport(harness: Harness, campaignId: string, number: number): Promise<Block> {
  const doc = conversationDoc(number, { campaignId });
  return block(harness, (session) => harness.context.database.conversations.insertOne(doc, { session }));
}

async function block(harness: Harness, write: (session: mongo.ClientSession) => Promise<unknown>): Promise<Block> {
  const session = harness.context.database.client.startSession();
  session.startTransaction();
  await write(session);
  return {
    async remove() {
      await session.abortTransaction();
      await session.endSession();
    },
  };
}
