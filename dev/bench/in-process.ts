import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Context } from '../../src/context.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { parseRequest } from '../../src/operations/contract.ts';
import { runOperation, type SliceResult } from '../../src/operations/lifecycle.ts';
import { TransactionSizes } from '../../src/operations/apply-in-parts.ts';
import type { BenchSandbox } from './bench-sandbox.ts';

export type Asked = { readonly campaignId: string } & Readonly<Record<string, unknown>>;

export interface InProcess {
  readonly operationId: string;
  readonly moved: number;
}

/** Runs operations in this process, so that no queue and no other process is a part of what is measured. */
export class InProcessRunner {
  private readonly bench: BenchSandbox;
  private readonly context: Context;
  private readonly sizes: TransactionSizes;

  constructor(bench: BenchSandbox, context: Context = bench.sandbox.context) {
    this.bench = bench;
    this.context = context;
    this.sizes = new TransactionSizes(bench.sandbox.config.worker.batchConversationsMax);
  }

  async run(asked: Asked): Promise<InProcess> {
    const { sandbox } = this.bench;
    const request = parseRequest({ operationId: sandbox.newId('op'), ...asked });
    const command = { request, requestHash: requestHash(request), sendId: 'bench' };
    const transactionSize = this.sizes.of(asked.campaignId);
    const controls = { limits: sandbox.config.worker, transactionSize, shouldStop: () => false };
    let result: SliceResult;
    do result = await runOperation(this.context, command, controls);
    while (result.kind !== 'ended');
    const { operationId, receipt, error } = result.operation;
    if (!receipt || error) throw new Error(`operation ${operationId} failed: ${error?.message ?? 'it has no receipt'}`);
    return { operationId, moved: receipt.moved };
  }
}

const DELAY_RESOLUTION_MS = 1;
const NS_PER_MS = 1e6;

/** Returns the longest time for which `work` blocked the event loop, in milliseconds. */
export async function longestBlockMs(work: () => Promise<unknown>): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delays.enable();
  await work();
  delays.disable();
  return Math.max(0, delays.max / NS_PER_MS - DELAY_RESOLUTION_MS);
}
