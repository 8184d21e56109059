import { requestHash } from '../../src/domain/requests.ts';
import { cancel } from '../../src/operations/cancel.ts';
import { parseRequest, type CancelRequest } from '../../src/operations/contract.ts';
import { accept, runOperation, type SliceResult } from '../../src/operations/lifecycle.ts';
import type { Operation, OperationCommand, OperationOrClaim } from '../../src/operations/operation.ts';
import type { Stores } from '../../src/operations/ports.ts';
import { TransactionSize } from '../../src/operations/apply-in-parts.ts';
import type { AnyRequest } from './any-request.ts';

/** Applies batches of full size in parts. */
class FixedSize extends TransactionSize {
  private readonly partMax: number;

  constructor(partMax: number, batchConversationsMax: number) {
    super(batchConversationsMax);
    this.partMax = partMax;
  }

  override get current(): number {
    return this.partMax;
  }

  override get ofBatch(): number {
    return this.sizeMax;
  }
}

/** More slices than any operation of a test needs. */
const SLICES_MAX = 500;

interface SliceSettings {
  readonly batchConversationsMax: number;
  readonly batchesInFlightMax: number;
  /** True when a slice stops after its first new batch. */
  readonly short: boolean;
  /** The most conversations in one transaction; smaller than a batch when batches are applied in parts. */
  readonly partMax?: number;
  readonly transactionSize?: TransactionSize;
}

const DEFAULTS: SliceSettings = { batchConversationsMax: 4, batchesInFlightMax: 2, short: true };

const clock = { now: () => new Date() };

function commandOf(input: AnyRequest, sendId = 'test'): OperationCommand {
  const request = parseRequest(input);
  return { request, requestHash: requestHash(request), sendId };
}

/** Accepts an operation without starting it. */
export async function record(stores: Stores, input: AnyRequest, sendId?: string): Promise<Operation> {
  return (await accept({ stores, clock }, commandOf(input, sendId))).operation;
}

/** Runs one slice of an operation, without a queue. By default the slice has one batch. */
export function oneSlice(
  stores: Stores,
  input: AnyRequest,
  settings: Partial<SliceSettings> = {},
): Promise<SliceResult> {
  const { short, partMax, transactionSize, ...limits } = { ...DEFAULTS, ...settings };
  const parts = partMax === undefined ? undefined : new FixedSize(partMax, limits.batchConversationsMax);
  const size = transactionSize ?? parts;
  const controls = { limits, ...(size && { transactionSize: size }), shouldStop: () => short };
  return runOperation({ stores, clock }, commandOf(input), controls);
}

/** Runs slices until the operation ends. Returns `undefined` when another operation goes first. */
export async function runToEnd(
  stores: Stores,
  input: AnyRequest,
  settings: Partial<SliceSettings> = {},
): Promise<Operation | undefined> {
  for (let slice = 0; slice < SLICES_MAX; slice += 1) {
    const { kind, operation } = await oneSlice(stores, input, settings);
    if (kind === 'ended') return operation;
    if (kind === 'waiting') return undefined;
  }
  throw new Error(`operation ${input.operationId} did not end within ${SLICES_MAX} slices`);
}

/** Cancels an operation without a queue, so one that no worker has accepted is unknown. */
export function cancelWithoutQueue(
  stores: Stores,
  { operationId, campaignId }: CancelRequest,
): Promise<OperationOrClaim> {
  const findSent = (): Promise<undefined> => Promise.resolve(undefined);
  return cancel({ stores, clock, findSent }, { operationId, campaignId });
}
