import { setTimeout as sleep } from 'node:timers/promises';
import type { Sent } from '../../../src/producer/producer-port.ts';
import type { Sandbox } from '../../sandbox.ts';

/** How fast an operation moved conversations. */
export interface Rate {
  readonly moved: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** False for an operation that was cancelled at its time limit. */
  readonly hasEnded: boolean;
}

export interface SentOperation {
  readonly operationId: string;
  readonly campaignId: string;
  readonly send: () => Promise<Sent>;
}

/** Deals the pool of a campaign to all its texters. */
export function dealPool(sandbox: Sandbox, campaignId: string): SentOperation {
  const operationId = sandbox.newId('op');
  const request = { operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' } as const;
  return { operationId, campaignId, send: () => sandbox.producer.reassign(request) };
}

/**
 * Runs an operation and measures it. After `limitMs` it reads how much has moved and calls `quieten`, which must stop the
 * other writers. Then it cancels the operation.
 */
export async function measureOperation(
  sandbox: Sandbox,
  { operationId, campaignId, send }: SentOperation,
  limitMs: number,
  quieten: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Rate> {
  const startedAt = performance.now();
  const sent = await send();
  const ended = sent.result({ waitMs: 3_600_000 });
  const timer = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: timer.signal }).catch(() => undefined);
  const result = await Promise.race([ended, limit]);
  timer.abort();
  const seconds = (performance.now() - startedAt) / 1_000;
  if (result) return rateOf(result.receipt.moved, seconds, true);
  const { conversations } = sandbox.context.database;
  const moved = await conversations.countDocuments({ campaignId, lastOperationId: operationId });
  await quieten();
  await Promise.allSettled([sandbox.producer.cancel({ operationId, campaignId }), ended]);
  return rateOf(moved, seconds, false);
}

/** Prints a run as soon as it has ended, because all runs together take long. */
export function noteRun(what: string, rate: Rate | undefined): void {
  if (!rate) return;
  const ending = rate.hasEnded ? '' : ', cancelled at its time limit';
  process.stderr.write(`${what}: ${rate.perSecond.toFixed(0)} conversations a second${ending}\n`);
}

function rateOf(moved: number, seconds: number, hasEnded: boolean): Rate {
  return { moved, seconds, perSecond: moved / seconds, hasEnded };
}
