import { Types, type mongo, type QueryFilter } from 'mongoose';
import { toClaim } from '../claims/index.ts';
import { batchId, objectIds, type BatchDoc, type ClaimDoc, type OperationDoc } from '../mongo/documents.ts';
import type { Position } from '../domain/conversation.ts';
import type { BatchState } from '../domain/operation.ts';
import type { Batch, BatchResult, PlanState, Skip, StoredBatch } from './batch.ts';
import type { Move } from './moves.ts';
import type { OperationRequest } from './contract.ts';
import type { Operation, OperationOrClaim, Run } from './operation.ts';
import type { AnyOperation } from './view-ports.ts';

export function toOperation(doc: OperationDoc): Operation {
  const { _id: operationId, kind, campaignLock, stops, expiring, ...fields } = doc;
  // The contract has checked the request before it was stored.
  return { operationId, ...fields, request: fields.request as OperationRequest };
}

export function toOperationDoc({ operationId, ...rest }: Operation): OperationDoc {
  return { _id: operationId, kind: rest.request.kind, ...rest };
}

export function toOperationOrClaim(doc: OperationDoc | ClaimDoc): OperationOrClaim {
  return 'granted' in doc ? toClaim(doc) : toOperation(doc);
}

export function toAnyOperation(doc: OperationDoc | ClaimDoc): AnyOperation {
  const { _id: operationId, campaignId, requestHash, createdBySendId, state, sequence } = doc;
  const request = doc.request as AnyOperation['request'];
  const { receipt, error, cancellation, acceptedAt, startedAt, endedAt } = doc;
  const identity = { operationId, campaignId, request, requestHash, createdBySendId, state, sequence };
  const failures = doc.failures ? { failures: doc.failures } : {};
  const granted = 'granted' in doc ? { granted: doc.granted.map((id) => id.toHexString()) } : {};
  return { ...identity, receipt, error, cancellation, acceptedAt, startedAt, endedAt, ...failures, ...granted };
}

/** Neither a failure nor a cancellation is recorded. */
export const NOT_STOPPED = { error: null, cancellation: null } as const;

/** Matches an operation only while it is in this run. */
export function ofRun({ operationId, reopened }: Run): QueryFilter<OperationDoc> {
  return { _id: operationId, reopened: reopened ?? { $exists: false } };
}

export function toBatchDoc(batch: Batch, state: BatchState, plannedAt: Date): BatchDoc {
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

function toSkipDoc({ conversationIds, reason }: Skip): BatchDoc['skips'][number] {
  return { reason, count: conversationIds.length, conversationIds: objectIds(conversationIds) };
}

export function toResultDoc({ moves, skips, shortfalls }: BatchResult): mongo.Document {
  return {
    ...(moves && { moves: moves.map(toMoveDoc) }),
    ...(skips && { skips: skips.map(toSkipDoc) }),
    ...(shortfalls && { shortfalls: [...shortfalls] }),
  };
}

export function toBatch(doc: BatchDoc): StoredBatch {
  return {
    operationId: doc.operationId,
    campaignId: doc.campaignId,
    number: doc.number,
    state: doc.state,
    moves: doc.moves.map(toMove),
    skips: doc.skips.map(toSkip),
    after: toPlanState(doc.after),
    ...(doc.parts !== undefined && { progress: { parts: doc.parts, appliedCount: doc.appliedCount ?? 0 } }),
    ...(doc.shortfalls && { shortfalls: doc.shortfalls }),
    ...(doc.unappliedMoves && { unappliedMoves: doc.unappliedMoves.map(toMove) }),
  };
}

function toSkip({ reason, conversationIds }: BatchDoc['skips'][number]): Skip {
  return { reason, conversationIds: conversationIds.map((id) => id.toHexString()) };
}

function toMove({ from, to, status, conversationIds }: BatchDoc['moves'][number]): Move {
  return { from, to, status, conversationIds: conversationIds.map((id) => id.toHexString()) };
}

function toAfterDoc({ position, surplusPosition, readAhead, loads, planned }: PlanState): BatchDoc['after'] {
  return {
    position: toPositionDoc(position),
    ...(surplusPosition && { surplusPosition: toPositionDoc(surplusPosition) }),
    readAhead: toPositionDoc(readAhead ?? null),
    loads: [...loads],
    planned,
  };
}

/** Batches that were planned by an older version lack `readAhead` and `surplusPosition`. */
function toPlanState({ position, surplusPosition, readAhead, loads, planned }: BatchDoc['after']): PlanState {
  return {
    position: position && toPosition(position),
    ...(surplusPosition && { surplusPosition: toPosition(surplusPosition) }),
    readAhead: readAhead ? toPosition(readAhead) : null,
    loads,
    planned,
  };
}

function toPositionDoc(position: Position | null): BatchDoc['after']['position'] {
  if (!position) return null;
  const { status, waitingSince, id } = position;
  return { status, waitingSince: new Date(waitingSince), id: new Types.ObjectId(id) };
}

function toPosition({ status, waitingSince, id }: NonNullable<BatchDoc['after']['position']>): Position {
  return { status, waitingSince: waitingSince.getTime(), id: id.toHexString() };
}
