import { Types } from 'mongoose';
import { objectIds } from '../mongo/object-ids.ts';
import type { BatchState, StoredBatch } from './ports.ts';
import type { Batch, Move, PlanState, Skip } from './batch.ts';
import { batchId, type BatchDoc } from '../mongo/documents.ts';

export function toDoc(batch: Batch, state: BatchState, plannedAt: Date): BatchDoc {
  return {
    _id: batchId(batch.operationId, batch.number),
    campaignId: batch.campaignId,
    operationId: batch.operationId,
    number: batch.number,
    state,
    moves: batch.moves.map(toMoveDoc),
    skips: batch.skips.map(toSkipDoc),
    after: toAfterDoc(batch.after),
    plannedAt,
    appliedAt: null,
  };
}

export function toMoveDoc({ conversationIds, ...move }: Move): BatchDoc['moves'][number] {
  return { ...move, count: conversationIds.length, conversationIds: objectIds(conversationIds) };
}

export function toSkipDoc({ conversationIds, reason }: Skip): BatchDoc['skips'][number] {
  return { reason, count: conversationIds.length, conversationIds: objectIds(conversationIds) };
}

export function fromDoc(doc: BatchDoc): StoredBatch {
  return {
    operationId: doc.operationId,
    campaignId: doc.campaignId,
    number: doc.number,
    state: doc.state,
    moves: doc.moves.map(({ from, to, status, conversationIds }) => ({
      from,
      to,
      status,
      conversationIds: conversationIds.map((id) => id.toHexString()),
    })),
    skips: doc.skips.map(({ reason, conversationIds }) => ({
      reason,
      conversationIds: conversationIds.map((id) => id.toHexString()),
    })),
    after: fromAfterDoc(doc.after),
  };
}

function toAfterDoc({ position, loads, planned }: PlanState): BatchDoc['after'] {
  const at = position && {
    status: position.status,
    waitingSince: new Date(position.waitingSince),
    id: new Types.ObjectId(position.id),
  };
  return { position: at, loads: [...loads], planned };
}

function fromAfterDoc({ position, loads, planned }: BatchDoc['after']): PlanState {
  const at = position && {
    status: position.status,
    waitingSince: position.waitingSince.getTime(),
    id: position.id.toHexString(),
  };
  return { position: at, loads, planned };
}
