import type { SelfAssignSettings } from '../campaigns/index.ts';
import { Refusal, shown } from '../domain/errors.ts';
import type { OperationRecord } from '../domain/operation.ts';
import type { Receipt } from '../domain/receipt.ts';

/** A texter asks for more conversations. The operation's id is the claim's. */
export interface ClaimRequest {
  readonly kind: 'self-assign';
  readonly operationId: string;
  readonly campaignId: string;
  readonly texterId: string;
  /** How many are wanted; without it, as many as the campaign gives at once. */
  readonly count?: number | undefined;
  /** How long to wait for more when the pool is short, in milliseconds; without it, not at all. */
  readonly waitMs?: number | undefined;
}

/** What the rules look at of a texter. */
export interface Workload {
  readonly notStarted: number;
  readonly needsReply: number;
}

export interface Claim extends OperationRecord<ClaimRequest> {
  /** In the order given: longest waiting first. */
  readonly granted: readonly string[];
  /** Its place among the campaign's waiting claims, and how long it waits; `null` when it does not. */
  readonly waiting: { readonly sequence: number; readonly until: Date } | null;
}

/** The rule that keeps a claim from being given all it asked for. */
export type ClaimLimit = Extract<Receipt['shortBecause'], 'batch-max' | 'open-max'>;

/** How many a claim may be given, and which rule it was that made it fewer than asked for. */
export interface Room {
  readonly count: number;
  readonly limitedBy: ClaimLimit | null;
}

/** Applies a campaign's rules to one claim. Throws the `Refusal` of a rule that leaves no room at all. */
export function roomFor(wanted: number | undefined, settings: SelfAssignSettings, workload: Workload): Room {
  if (!settings.enabled) {
    throw new Refusal('self-assign-off', {
      expected: 'a campaign that allows self-assign',
      received: 'one that does not',
    });
  }
  const { repliesMax, openMax, batchMax } = settings;
  if (repliesMax !== null && workload.needsReply > repliesMax) {
    throw new Refusal('replies-first', {
      expected: `at most ${repliesMax} held that need a reply`,
      received: String(workload.needsReply),
    });
  }
  const open = openMax - workload.notStarted;
  if (open <= 0) {
    throw new Refusal('open-max-reached', {
      expected: `fewer than ${openMax} not-started held`,
      received: String(workload.notStarted),
    });
  }
  return smallest(wanted ?? batchMax, { batchMax, open });
}

function smallest(wanted: number, { batchMax, open }: { batchMax: number; open: number }): Room {
  if (wanted <= batchMax && wanted <= open) return { count: wanted, limitedBy: null };
  return batchMax <= open ? { count: batchMax, limitedBy: 'batch-max' } : { count: open, limitedBy: 'open-max' };
}

export function refuseTexter(texterId: string, active: boolean | undefined): void {
  if (active === true) return;
  const received = shown(texterId);
  if (active === undefined) throw new Refusal('unknown-texter', { expected: 'a texter of the campaign', received });
  throw new Refusal('texter-inactive', { expected: 'an active texter', received: `paused ${received}` });
}

/** The receipt of a claim that was given `granted` of the room it had. */
export function claimReceipt(request: ClaimRequest, granted: number, room: Room): Receipt {
  const some = granted > 0 ? [{ count: granted }] : [];
  return {
    selected: granted,
    moved: granted,
    asked: request.count ?? null,
    shortBecause: granted < room.count ? 'none-left' : room.limitedBy,
    left: null,
    skipped: [],
    bySource: some.map((count) => ({ assigneeId: null, ...count })),
    byTarget: some.map((count) => ({ assigneeId: request.texterId, ...count })),
    byStatus: some.map((count) => ({ status: 'not-started' as const, ...count })),
  };
}
