import type { Batch, Shortfall } from './batch.ts';
import type { Candidate } from '../domain/conversation.ts';
import { Halted } from '../domain/errors.ts';
import type { Operation, Plan } from './operation.ts';
import { isBulk } from './request.ts';
import { Planner } from './planner.ts';
import type { Hand, Planning } from './planning.ts';
import type { Applied, Stores } from './ports.ts';
import { readInOrder } from '../conversations/index.ts';

/** Plans what a request selects: reads it in order and deals it, until nothing is left or the limit is reached. */
export class SelectionPlanning implements Planning {
  private readonly stores: Stores;
  private readonly operation: Operation;
  private readonly plan: Plan;
  private readonly batchMax: number;
  private planner: Planner;

  constructor(stores: Stores, operation: Operation, plan: Plan, batchMax: number) {
    this.stores = stores;
    this.operation = operation;
    this.plan = plan;
    this.batchMax = batchMax;
    this.planner = this.plannerAfter(null);
  }

  get nextUp(): string | null {
    return this.planner.nextUp;
  }

  async resume(
    last: Batch,
    shortfallsByBatch: readonly { number: number; shortfalls: readonly Shortfall[] }[],
  ): Promise<void> {
    this.planner = this.plannerAfter(last);
    for (const { number, shortfalls } of shortfallsByBatch) this.planner.addShortfalls(number, shortfalls);
    const texters = await this.stores.texters.list(this.operation.campaignId);
    this.planner.leaveOut(texters.filter(({ active }) => !active).map(({ texterId }) => texterId));
  }

  async planOn(hand: Hand): Promise<boolean> {
    while (!(await this.isComplete(hand))) {
      this.haltWithoutTargets();
      const exhausted = await this.readThrough(hand);
      if (exhausted !== undefined) return exhausted;
    }
    return true;
  }

  noteApplied(batch: Batch, applied: Applied): void {
    this.planner.addShortfalls(batch.number, applied.shortfalls);
    this.planner.leaveOut(applied.inactive);
  }

  endMarker(): Batch {
    return this.planner.endMarker();
  }

  private plannerAfter(last: Batch | null): Planner {
    return new Planner({ operation: this.operation, plan: this.plan, last, batchMax: this.batchMax });
  }

  /** Reads on from the planner's position. `undefined`: the limit was reached, unless something shortfalls away yet. */
  private async readThrough(hand: Hand): Promise<boolean | undefined> {
    const { planner } = this;
    for await (const chunk of this.candidates()) {
      for (const candidate of chunk) {
        planner.take(candidate);
        if (!planner.isBatchFull && !planner.isAtLimit) continue;
        await this.store(hand);
        if (planner.isAtLimit) return undefined;
        if (hand.shouldStop()) return false;
        this.haltWithoutTargets();
      }
    }
    await this.store(hand);
    return true;
  }

  /** At the limit only once nothing in flight can shortfall away any more. */
  private async isComplete(hand: Hand): Promise<boolean> {
    if (!this.planner.isAtLimit) return false;
    await hand.settled();
    return this.planner.isAtLimit;
  }

  private async store(hand: Hand): Promise<void> {
    const batch = this.planner.closeBatch();
    if (batch) await hand.store(batch);
  }

  private async *candidates(): AsyncGenerator<Candidate[]> {
    const { request, campaignId, operationId } = this.operation;
    if (isBulk(request)) {
      const { sources, statuses, limit } = this.plan;
      yield* readInOrder(
        this.stores.conversations,
        { campaignId, sources, statuses, operationId, limit },
        this.planner.position,
      );
    } else if ('conversationId' in request && !this.planner.position) {
      const found = await this.stores.conversations.findOne(campaignId, request.conversationId);
      if (found) yield [found];
    }
  }

  private haltWithoutTargets(): void {
    if (!this.planner.isOutOfTargets) return;
    throw new Halted('targets-lost', {
      expected: 'an active texter to deal to',
      received: 'all targets paused meanwhile',
    });
  }
}
