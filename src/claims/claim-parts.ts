import { shownOperation, type ChangeDraft, type LivePublisher } from '../events/index.ts';
import type { ErrorReporter, RedisConnection } from '../queue/connection.ts';
import { BlockedClaims } from './blocked-claims.ts';
import type { ClaimQueue } from './claim-queue.ts';
import { ClaimCoordinator } from './coordinator.ts';
import { EndedClaims } from './claim-queue.ts';
import type { ClaimStore, Round } from './ports.ts';
import { serveClaims } from './serve-round.ts';

interface Connections {
  readonly redis: RedisConnection;
  /** A connection of its own, because a connection that subscribes cannot send commands. */
  readonly subscriber: RedisConnection;
  readonly prefix: string;
  readonly reporter: ErrorReporter;
  /** For those who watch campaigns. */
  readonly live: LivePublisher;
}

/** The parts with which a worker serves claims. Ended and blocked claims follow each round of the coordinator. */
export interface ClaimParts {
  readonly endedClaims: EndedClaims;
  readonly blockedClaims: BlockedClaims;
  readonly coordinator: ClaimCoordinator;
}

export function createClaimParts(store: ClaimStore, queue: ClaimQueue, connections: Connections): ClaimParts {
  const { redis, subscriber, prefix, reporter, live } = connections;
  const endedClaims = new EndedClaims(store, queue);
  const onWakeError = reporter('the jobs of ended claims could not be woken; reconcile wakes them');
  const blockedClaims = new BlockedClaims({
    store,
    serveWaiting: (campaignId) => coordinator.serveWaiting(campaignId),
    onError: reporter('blocked claims could not be checked; reconcile asks for another check'),
  });
  const coordinator = new ClaimCoordinator({
    ...{ redis, subscriber, prefix },
    serve: (campaignId, commands) => serveClaims(store, campaignId, commands),
    onServed: (campaignId, round) => live.publish(campaignId, (draft) => addRound(draft, round)),
    onEnded: (operationIds) => void endedClaims.wake(operationIds).catch(onWakeError),
    onBlocked: (campaignId) => blockedClaims.checkAgain(campaignId),
    onError: reporter('a message between claim coordinators was lost; its claim is sent again'),
  });
  return { endedClaims, blockedClaims, coordinator };
}

function addRound(draft: ChangeDraft, { answered, completed, granted }: Round): void {
  for (const claim of [...answered, ...completed]) draft.addOperation(shownOperation(claim));
  draft.addMoves(granted.map(({ texterId, conversationIds }) => ({ from: null, to: texterId, conversationIds })));
}
