import fc from 'fast-check';
import { STATUSES, type Status, type StatusChoice } from '../../../src/domain/conversation.ts';
import { UNKNOWN, type CampaignSeed, type Step } from './steps.ts';

/** Without this setting, a printed counterexample contains prototypes. */
const PLAIN = { noNullPrototype: true } as const;
const plain = <Value extends object>(of: { [Key in keyof Value]: fc.Arbitrary<Value[Key]> }): fc.Arbitrary<Value> =>
  fc.record(of, PLAIN) as fc.Arbitrary<Value>;

const seldom = fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 });
const status = fc.constantFrom<Status>('not-started', ...STATUSES);
const choice = fc.constantFrom<StatusChoice>('any', 'any', 'not-started', ...STATUSES);
const texter = fc.oneof({ arbitrary: fc.nat(11), weight: 30 }, { arbitrary: fc.constant(UNKNOWN), weight: 1 });
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
      { arbitrary: fc.constantFrom([], [UNKNOWN, 0]), weight: 1 },
    ),
    evenPaused: seldom,
  }),
);
const one = {
  conversation,
  expected: fc.oneof(fc.constantFrom('not given' as const, 'the assignee' as const), fc.nat(11)),
};
const confirm = fc.constantFrom(0, 0, 3, -1, null);

const which = fc.oneof(
  { arbitrary: fc.nat(1), weight: 6 },
  { arbitrary: fc.nat(30), weight: 4 },
  { arbitrary: fc.constant(UNKNOWN), weight: 1 },
);

const undo = plain({ does: fc.constant('undo' as const), which, includeWorkedOn: seldom });
const bulkOrUndo = fc.oneof(
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
const outsideChange = fc.oneof(
  plain({ does: fc.constantFrom('pause' as const, 'resume' as const), texter: fc.nat(11) }),
  plain({ does: fc.constantFrom('opt out' as const, 'opt in' as const), conversation }),
  plain({
    does: fc.constant('change status' as const),
    conversation,
    // A conversation that has been started never becomes not-started again.
    status: fc.constantFrom<Status>('needs-reply', 'in-progress', 'awaiting-contact', 'closed'),
    waitedMinutes: minutes,
  }),
  plain({
    does: fc.constant('write' as const),
    who: fc.constantFrom('contact' as const, 'texter' as const),
    conversation,
    minute: fc.nat(1_000),
  }),
  plain({ does: fc.constant('move away and back' as const), conversation }),
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

/** A new kind of operation must be added here, to `Action`, and to the model. */
const action = fc.oneof(
  { arbitrary: bulkOrUndo, weight: 6 },
  { arbitrary: single, weight: 2 },
  { arbitrary: claim, weight: 4 },
  { arbitrary: cancel, weight: 1 },
  { arbitrary: outsideChange, weight: 4 },
);

const alone = plain({ alone: action, again: fc.boolean() });
const bulkAtOnce = plain({ atOnce: fc.array(bulkOrUndo, { minLength: 2, maxLength: 5 }) });
const atOnce = plain({ atOnce: fc.array(action, { minLength: 2, maxLength: 8 }) });
/** An operation is cancelled while it runs. */
const cancelAtOnce = fc.tuple(bulkOrUndo, fc.array(action, { maxLength: 3 }), cancel).map(([first, others, stop]) => ({
  atOnce: [first, ...others, stop],
}));

export const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  { arbitrary: alone, weight: 8 },
  { arbitrary: bulkAtOnce, weight: 1 },
  { arbitrary: cancelAtOnce, weight: 1 },
  { arbitrary: atOnce, weight: 2 },
);

/** The largest campaign that a test makes. */
export interface Sizes {
  readonly textersMax: number;
  readonly conversationsMax: number;
}

export const campaignOf = ({ textersMax, conversationsMax }: Sizes): fc.Arbitrary<CampaignSeed> =>
  plain({
    paused: fc.array(seldom, { minLength: 1, maxLength: textersMax, size: 'max' }),
    rules: plain({ enabled: seldom.map((isOff) => !isOff), batchMax, openMax, repliesMax }),
    conversations: fc.array(
      plain({
        status,
        assignee: fc.option(fc.nat(11), { nil: null, freq: 2 }),
        // Few different times, so that many conversations have waited equally long.
        waitedMinutes: minutes,
        optedOut: seldom,
        moves: fc.constantFrom(0, 0, 0, 1, 17, 19, 20),
      }),
      { maxLength: conversationsMax, size: 'max' },
    ),
  });
