import { isEnded } from '../../../src/domain/operation.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import type { BatchDoc, ClaimDoc, OperationDoc } from '../../../src/mongo/documents.ts';
import type { OperationRequest } from '../../../src/operations/index.ts';
import { idsOf, requestOf } from '../raw.ts';
import { sortedJson, sum, type CampaignRecords, type SeededCampaign } from './records.ts';

/** Compares the receipt of each operation and claim with its batches, its request and the rules of the campaign. */
export class OperationAudit {
  private readonly campaign: SeededCampaign;
  private readonly records: CampaignRecords;
  /** How many sequence numbers the campaign has given out. */
  private readonly operationCount: number;
  private readonly violations: string[] = [];

  constructor(campaign: SeededCampaign, records: CampaignRecords, operationCount: number) {
    this.campaign = campaign;
    this.records = records;
    this.operationCount = operationCount;
  }

  run(): readonly string[] {
    for (const operation of this.records.operations) this.checkOperation(operation);
    for (const claim of this.records.claims) this.checkClaim(claim);
    this.checkOrder();
    return this.violations;
  }

  /** The operation has ended with a receipt that equals its batches, within the limit of its request. */
  private checkOperation(operation: OperationDoc): void {
    const { _id: id, state, receipt, campaignLock } = operation;
    if (!isEnded(state)) return this.violation(`operation ${id} has not ended: its state is ${state}`);
    if (campaignLock !== undefined) this.violation(`operation ${id} has ended and keeps the campaign lock`);
    const batches = this.records.batches.get(id) ?? [];
    this.checkBatches(operation, batches);
    this.checkCancellation(operation, batches);
    const applied = batches.filter((batch) => batch.state === 'applied');
    const moved = sum(applied.flatMap(({ moves }) => moves));
    const skipped = sum(applied.flatMap(({ skips }) => skips));
    if (!receipt) {
      // It was refused before anything was planned.
      if (state !== 'failed' || moved > 0) this.violation(`operation ${id} ended as ${state} without a receipt`);
      return;
    }
    this.checkReceipt(id, receipt, { moved, skipped });
    const limit = limitOf(requestOf(operation));
    if (moved > limit) this.violation(`operation ${id} moved ${moved}, but its request allows ${limit}`);
  }

  private checkReceipt(id: string, receipt: Receipt, stored: { moved: number; skipped: number }): void {
    const inReceipt = { moved: receipt.moved, skipped: receipt.selected - receipt.moved };
    if (inReceipt.moved !== stored.moved || inReceipt.skipped !== stored.skipped)
      this.violation(
        `operation ${id} has ${sortedJson(inReceipt)} in its receipt, but ${sortedJson(stored)} in its batches`,
      );
    const { skipped, bySource, byTarget, byStatus } = receipt;
    for (const [list, rows] of Object.entries({ skipped, bySource, byTarget, byStatus })) {
      const expected = list === 'skipped' ? stored.skipped : stored.moved;
      if (sum(rows) !== expected)
        this.violation(
          `operation ${id} has a list ${list} in its receipt that adds up to ${sum(rows)}, not ${expected}`,
        );
    }
  }

  /** Batches are numbered without gaps, the end marker is the last, none is planned, and no conversation moves twice. */
  private checkBatches({ _id: id, receipt }: OperationDoc, batches: readonly BatchDoc[]): void {
    if (batches.some(({ number }, at) => number !== at + 1)) this.violation(`operation ${id} lacks a batch`);
    if (batches.some(({ state }) => state === 'planned')) this.violation(`operation ${id} has a planned batch`);
    const endMarkers = batches.flatMap(({ state }, at) => (state === 'end-marker' ? [at] : []));
    if (receipt && (endMarkers.length !== 1 || endMarkers[0] !== batches.length - 1))
      this.violation(`operation ${id} does not have exactly one end marker, as its last batch`);
    const groups = batches.flatMap(({ moves, skips }) => [...moves, ...skips]);
    if (groups.some((group) => group.count !== group.conversationIds.length))
      this.violation(`operation ${id} has a group with a wrong count`);
    const moved = idsOf(batches.filter(({ state }) => state === 'applied').flatMap(({ moves }) => moves));
    if (new Set(moved).size !== moved.length) this.violation(`operation ${id} moved a conversation twice`);
  }

  /** A cancelled operation leaves at least the conversations that it had planned, and at most the rest of its limit. */
  private checkCancellation(operation: OperationDoc, batches: readonly BatchDoc[]): void {
    const { _id: id, state, cancellation, receipt } = operation;
    const isCancelled = state === 'cancelled';
    if ((cancellation !== null) !== isCancelled)
      this.violation(`operation ${id} ended as ${state}, unlike its cancellation says`);
    const dropped = batches.filter((batch) => batch.state === 'dropped');
    if (state === 'done' && dropped.length > 0) this.violation(`operation ${id} is done, but has a dropped batch`);
    const left = receipt?.left ?? null;
    if (!isCancelled) return this.checkLeftBehind(operation, left);
    if (left === null)
      return this.violation(`operation ${id} was cancelled, and its receipt does not say what is left`);
    if (!receipt) return;
    if (receipt.shortBecause !== 'stopped')
      this.violation(`operation ${id} was cancelled, but its receipt does not say that it was stopped`);
    const room = Math.max(0, limitOf(requestOf(operation)) - receipt.moved);
    const planned = sum(dropped.flatMap(({ moves, skips }) => [...moves, ...skips]));
    if (left > room) this.violation(`operation ${id} left ${left}, but could have moved only ${room} more`);
    if (left < Math.min(planned, room))
      this.violation(`operation ${id} left ${left}, although ${planned} more were planned`);
  }

  /** Other programs can add conversations while an operation on all conversations ends. Then its receipt counts them. */
  private checkLeftBehind(operation: OperationDoc, left: number | null): void {
    const { _id: id, state } = operation;
    if (left === null) return;
    const request = requestOf(operation);
    const isOfAll = (request.kind === 'reassign' || request.kind === 'unassign') && request.count === undefined;
    if (state !== 'done' || !isOfAll || left === 0)
      this.violation(`operation ${id} ended as ${state} and left ${left}`);
  }

  private checkClaim({ _id: id, state, request, granted, receipt, error, cancellation, waiting }: ClaimDoc): void {
    if (!isEnded(state) || waiting) return this.violation(`claim ${id} has not ended: its state is ${state}`);
    const expectedState = error ? 'failed' : cancellation ? 'cancelled' : 'done';
    if (state !== expectedState) this.violation(`claim ${id} ended as ${state} instead of ${expectedState}`);
    if ((receipt?.left ?? null) !== (cancellation ? 0 : null)) this.violation(`claim ${id} left ${receipt?.left}`);
    if (error && granted.length > 0) this.violation(`claim ${id} was refused and granted ${granted.length}`);
    if (!error && receipt?.moved !== granted.length)
      this.violation(`claim ${id} has ${receipt?.moved} in its receipt, but was granted ${granted.length}`);
    const { batchMax, openMax } = this.campaign.rules;
    const limit = Math.min(request.count ?? batchMax, batchMax, openMax);
    if (granted.length > limit) this.violation(`claim ${id} was granted ${granted.length}, more than ${limit}`);
  }

  /** Bulk operations have distinct sequence numbers, and ran one at a time in that order. */
  private checkOrder(): void {
    const bulk = this.records.operations.filter(({ sequence }) => sequence > 0);
    // An operation gets a new number each time it is reopened.
    const numbers = bulk.reduce((total, { reopened = 0 }) => total + 1 + reopened, 0);
    if (new Set(bulk.map(({ sequence }) => sequence)).size !== bulk.length || numbers !== this.operationCount)
      this.violation(`the campaign gave out ${this.operationCount} sequence numbers, but ${numbers} are stored`);
    const ran = bulk.filter(({ plan, reopened }) => plan !== null && reopened === undefined);
    for (const [at, { _id: id, startedAt }] of ran.entries()) {
      const before = ran[at - 1];
      if (before?.endedAt && startedAt && startedAt < before.endedAt)
        this.violation(
          `operation ${id} started at ${startedAt.toISOString()}, before ${before._id} ended at ${before.endedAt.toISOString()}`,
        );
    }
  }

  private violation(what: string): void {
    this.violations.push(`${this.campaign.campaignId}: ${what}`);
  }
}

/** How many conversations a request may move at most. */
function limitOf(request: OperationRequest): number {
  switch (request.kind) {
    case 'reassign':
      return request.count ?? Infinity;
    case 'unassign':
      return request.count ?? request.confirm ?? 0;
    case 'reassign-one':
    case 'unassign-one':
      return 1;
    case 'reassign-list':
    case 'unassign-list':
      return request.conversations.length;
    case 'undo':
      return Infinity;
  }
}
