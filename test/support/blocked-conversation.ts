import { Types } from 'mongoose';
import type { Harness } from './harness.ts';

export interface Block {
  remove(): Promise<void>;
}

/**
 * Blocks every move of one conversation with an uncommitted write to it, until the block is removed. A test can then act
 * in the middle of an operation, however fast the machine is.
 */
export async function blockMoves(harness: Harness, conversationId: string): Promise<Block> {
  const { client, conversations } = harness.context.database;
  const session = client.startSession();
  session.startTransaction();
  const filter = { _id: new Types.ObjectId(conversationId) };
  await conversations.updateOne(filter, { $set: { lastInboundAt: new Date() } }, { session });
  return {
    async remove() {
      await session.abortTransaction();
      await session.endSession();
    },
  };
}
