import { Types } from 'mongoose';
import type { Harness } from './harness.ts';

/**
 * Stands in the way of any move of one conversation, by a write of somebody else's that is not committed: whoever comes
 * to it waits or tries again, and gets no further. So a test can act in the middle of an operation, whatever its speed.
 */
export class Obstacle {
  private readonly remove: () => Promise<void>;

  private constructor(remove: () => Promise<void>) {
    this.remove = remove;
  }

  static async before(harness: Harness, conversationId: string): Promise<Obstacle> {
    const { client, conversations } = harness.context.database;
    const session = client.startSession();
    session.startTransaction();
    const filter = { _id: new Types.ObjectId(conversationId) };
    await conversations.updateOne(filter, { $set: { lastInboundAt: new Date() } }, { session });
    return new Obstacle(async () => {
      await session.abortTransaction();
      await session.endSession();
    });
  }

  /** The write is taken back, as if nobody had ever made it. */
  async clear(): Promise<void> {
    await this.remove();
  }
}
