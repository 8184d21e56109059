import type { SelfAssignSettings } from '../../../src/campaigns/campaign.ts';
import type { Status, StatusChoice } from '../../../src/domain/conversation.ts';

/**
 * A campaign, and the steps of a test on it, as plain data that fast-check can shrink and print. Ids differ from run to run,
 * so a step names texters and conversations by numbers. A number counts on from the first after the last, so that each step
 * makes sense on every campaign.
 */
export interface CampaignSeed {
  readonly paused: readonly boolean[];
  readonly rules: SelfAssignSettings;
  readonly conversations: readonly ConversationSeed[];
}

export interface ConversationSeed {
  readonly status: Status;
  /** `null` is the pool. */
  readonly assignee: number | null;
  readonly waitedMinutes: number;
  readonly optedOut: boolean;
  /** How often the conversation moved before the test. */
  readonly moves: number;
}

/** Stands for a texter who is not on the campaign, and for an operation that does not exist. */
export const UNKNOWN = -1;

export type SourceChoice = 'pool' | 'everyone' | readonly number[];

/** The numbers count active texters only, unless `evenPaused` is true. */
export type TargetChoice = 'everyone' | { readonly texters: readonly number[]; readonly evenPaused: boolean };

interface SingleMoveChoice {
  readonly conversation: number;
  readonly expected: 'not given' | 'the assignee' | number;
}

export type OperationAction =
  | {
      readonly does: 'reassign';
      readonly from: SourceChoice;
      readonly to: TargetChoice;
      readonly status: StatusChoice;
      readonly count: number | null;
      readonly spread: 'even' | 'level';
    }
  | {
      readonly does: 'unassign';
      readonly from: SourceChoice;
      readonly status: StatusChoice;
      readonly count: number | null;
      /** The difference of the confirmed number from the right one. `null` confirms nothing. */
      readonly confirm: number | null;
    }
  | ({ readonly does: 'reassign-one'; readonly to: number } & SingleMoveChoice)
  | ({ readonly does: 'unassign-one' } & SingleMoveChoice)
  | { readonly does: 'undo'; readonly which: number; readonly includeWorkedOn: boolean };

export interface ClaimAction {
  readonly does: 'claim';
  readonly texter: number;
  readonly count: number | null;
  readonly waits: boolean;
}

/** Cancels an operation or claim, counted back from the latest. Within simultaneous actions, `which` counts those. */
export interface CancelAction {
  readonly does: 'cancel';
  readonly which: number;
}

/** A change that other programs make to the campaign. */
export type OutsideChange =
  | { readonly does: 'pause' | 'resume'; readonly texter: number }
  | { readonly does: 'opt out' | 'opt in'; readonly conversation: number }
  | {
      readonly does: 'change status';
      readonly conversation: number;
      readonly status: Status;
      readonly waitedMinutes: number;
    }
  | {
      readonly does: 'write';
      readonly who: 'contact' | 'texter';
      readonly conversation: number;
      readonly minute: number;
    }
  | { readonly does: 'move away and back'; readonly conversation: number }
  | { readonly does: 'import'; readonly statuses: readonly Status[]; readonly waitedMinutes: number }
  | { readonly does: 'change rules'; readonly rules: Partial<SelfAssignSettings> }
  | { readonly does: 'close' | 'open' };

export type Action = OperationAction | ClaimAction | CancelAction | OutsideChange;

/** One action, whose request may be sent again afterwards, or several actions at the same time. */
export type Step = { readonly alone: Action; readonly again: boolean } | { readonly atOnce: readonly Action[] };
