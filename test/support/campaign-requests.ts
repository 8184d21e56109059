import fc from 'fast-check';
import { STATUSES, type Status, type StatusChoice } from '../../src/domain/conversation.ts';
import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';

/**
 * A campaign and what happens to it, as plain data, which shrinks and prints well. Nothing is named by an id, for ids are
 * new in each run: texters and conversations are counted round and round, so that a step means something in every
 * campaign.
 */
export interface CampaignRequest {
  readonly paused: readonly boolean[];
  readonly rules: SelfAssignSettings;
  readonly conversations: readonly ConversationRequest[];
}

export interface ConversationRequest {
  readonly status: Status;
  /** `null`: the pool. */
  readonly assignee: number | null;
  readonly waitedMinutes: number;
  readonly optedOut: boolean;
  /** Moves made before the test. */
  readonly moves: number;
}

export type SourceChoice = 'pool' | 'everyone' | readonly number[];

/** Among those who are active, unless it says otherwise. */
export type TargetChoice = 'everyone' | { readonly texters: readonly number[]; readonly evenPaused: boolean };

interface OneRequest {
  readonly conversation: number;
  readonly expected: 'nobody says' | 'its assignee' | number;
}

/** `confirm`: how far beside the real number; `null`: nothing is confirmed. */
export type AskRequest =
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
      readonly confirm: number | null;
    }
  | ({ readonly does: 'reassign-one'; readonly to: number } & OneRequest)
  | ({ readonly does: 'unassign-one' } & OneRequest)
  | { readonly does: 'undo'; readonly which: number };

export interface ClaimRequest {
  readonly does: 'claim';
  readonly texter: number;
  readonly count: number | null;
  readonly waits: boolean;
}

/** Of what was asked for, counted back from the last; at once with others, of those others. */
export interface CancelRequest {
  readonly does: 'cancel';
  readonly which: number;
}

/** What others do to the campaign, by other ways than Baton's. */
export type WorldRequest =
  | { readonly does: 'pause' | 'resume'; readonly texter: number }
  | { readonly does: 'opt out' | 'opt in'; readonly conversation: number }
  | { readonly does: 'write'; readonly conversation: number; readonly status: Status; readonly waitedMinutes: number }
  | { readonly does: 'import'; readonly statuses: readonly Status[]; readonly waitedMinutes: number }
  | { readonly does: 'change rules'; readonly rules: Partial<SelfAssignSettings> }
  | { readonly does: 'close' | 'open' };

export type Action = AskRequest | ClaimRequest | CancelRequest | WorldRequest;

/** One thing after another, or several actors at once. */
export type Step = { readonly alone: Action; readonly again: boolean } | { readonly atOnce: readonly Action[] };

/** Stands for a texter who is not on the campaign, and for what nobody asked for. */
export const STRANGER = -1;

/** Without it, what is printed speaks of prototypes. */
const PLAIN = { noNullPrototype: true } as const;
const plain = <RandomRequest extends object>(of: {
  [Key in keyof RandomRequest]: fc.Arbitrary<RandomRequest[Key]>;
}): fc.Arbitrary<RandomRequest> => fc.record(of, PLAIN) as fc.Arbitrary<RandomRequest>;

const seldom = fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 });
const status = fc.constantFrom<Status>('not-started', ...STATUSES);
const choice = fc.constantFrom<StatusChoice>('any', 'any', 'not-started', ...STATUSES);
const texter = fc.oneof({ arbitrary: fc.nat(11), weight: 30 }, { arbitrary: fc.constant(STRANGER), weight: 1 });
const texters = fc.array(fc.nat(11), { minLength: 1, maxLength: 4 });
const conversation = fc.nat(199);
const minutes = fc.oneof(fc.nat(3), fc.nat(1_000));
const count = fc.option(fc.integer({ min: 1, max: 40 }), { nil: null });
const source = fc.oneof(fc.constant('pool' as const), texters, texters, fc.constant('everyone' as const));
const target = fc.oneof(
  fc.constant('everyone' as const),
  plain({
    texters: fc.oneof(
      { arbitrary: fc.array(fc.nat(11), { minLength: 1, maxLength: 5 }), weight: 20 },
      { arbitrary: fc.constantFrom([], [STRANGER, 0]), weight: 1 },
    ),
    evenPaused: seldom,
  }),
);
const one = {
  conversation,
  expected: fc.oneof(fc.constantFrom('nobody says' as const, 'its assignee' as const), fc.nat(11)),
};
const confirm = fc.constantFrom(0, 0, 3, -1, null);

const which = fc.oneof(
  { arbitrary: fc.nat(1), weight: 6 },
  { arbitrary: fc.nat(30), weight: 4 },
  { arbitrary: fc.constant(STRANGER), weight: 1 },
);

const undo = plain({ does: fc.constant('undo' as const), which });
const inTurn = fc.oneof(
  { arbitrary: undo, weight: 2 },
  {
    arbitrary: plain({
      does: fc.constant('reassign' as const),
      from: source,
      to: target,
      status: choice,
      count,
      spread: fc.constantFrom('even' as const, 'level' as const),
    }),
    weight: 3,
  },
  {
    arbitrary: plain({
      does: fc.constant('unassign' as const),
      from: fc.oneof(texters, fc.constant('everyone' as const)),
      status: choice,
      count,
      confirm,
    }),
    weight: 2,
  },
);
const single = fc.oneof(
  plain({ does: fc.constant('reassign-one' as const), to: texter, ...one }),
  plain({ does: fc.constant('unassign-one' as const), ...one }),
);
const claim = plain({
  does: fc.constant('claim' as const),
  texter,
  count: fc.option(fc.integer({ min: 1, max: 12 }), { nil: null }),
  waits: fc.boolean(),
});
const cancel = plain({ does: fc.constant('cancel' as const), which });
const repliesMax = fc.option(fc.nat(3), { nil: null });
const batchMax = fc.integer({ min: 1, max: 12 });
const openMax = fc.integer({ min: 1, max: 20 });
const world = fc.oneof(
  plain({ does: fc.constantFrom('pause' as const, 'resume' as const), texter: fc.nat(11) }),
  plain({ does: fc.constantFrom('opt out' as const, 'opt in' as const), conversation }),
  plain({
    does: fc.constant('write' as const),
    conversation,
    // What is not started comes from imports only: nobody can unsay what was texted.
    status: fc.constantFrom<Status>('needs-reply', 'in-progress', 'awaiting-contact', 'closed'),
    waitedMinutes: minutes,
  }),
  plain({
    does: fc.constant('import' as const),
    statuses: fc.array(status, { minLength: 1, maxLength: 6 }),
    waitedMinutes: minutes,
  }),
  plain({
    does: fc.constant('change rules' as const),
    rules: fc.record({ enabled: fc.boolean(), batchMax, openMax, repliesMax }, { requiredKeys: [], ...PLAIN }),
  }),
  plain({ does: fc.constantFrom('close' as const, 'open' as const, 'open' as const) }),
);

/** Whoever adds a kind of operation adds it here, to {@link Action}, and to the model. */
const action = fc.oneof(
  { arbitrary: inTurn, weight: 6 },
  { arbitrary: single, weight: 2 },
  { arbitrary: claim, weight: 4 },
  { arbitrary: cancel, weight: 1 },
  { arbitrary: world, weight: 4 },
);

const alone = plain({ alone: action, again: fc.boolean() });
const inTurnAtOnce = plain({ atOnce: fc.array(inTurn, { minLength: 2, maxLength: 5 }) });
const atOnce = plain({ atOnce: fc.array(action, { minLength: 2, maxLength: 8 }) });
/** Something is stopped while it goes on. */
const cancelAtOnce = fc.tuple(inTurn, fc.array(action, { maxLength: 3 }), cancel).map(([first, others, stop]) => ({
  atOnce: [first, ...others, stop],
}));

export const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  { arbitrary: alone, weight: 8 },
  { arbitrary: inTurnAtOnce, weight: 1 },
  { arbitrary: cancelAtOnce, weight: 1 },
  { arbitrary: atOnce, weight: 2 },
);

export interface Sizes {
  readonly textersMax: number;
  readonly conversationsMax: number;
}

export const campaignOf = ({ textersMax, conversationsMax }: Sizes): fc.Arbitrary<CampaignRequest> =>
  plain({
    paused: fc.array(seldom, { minLength: 1, maxLength: textersMax, size: 'max' }),
    rules: plain({ enabled: seldom.map((isOff) => !isOff), batchMax, openMax, repliesMax }),
    conversations: fc.array(
      plain({
        status,
        assignee: fc.option(fc.nat(11), { nil: null, freq: 2 }),
        // Few different moments, so that many wait equally long.
        waitedMinutes: minutes,
        optedOut: seldom,
        moves: fc.constantFrom(0, 0, 0, 1, 17, 19, 20),
      }),
      { maxLength: conversationsMax, size: 'max' },
    ),
  });
