import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import { claimReceipt, newClaim, type Claim, type Decision, type Room } from '../../src/claims/claim.ts';
import { claimsThatFit, dealPool, roomOf, type Snapshot, type TexterLoad } from '../../src/claims/rules.ts';
import { Refusal } from '../../src/domain/errors.ts';

const RULES: SelfAssignSettings = { enabled: true, batchMax: 10, openMax: 20, repliesMax: null };
const NO_LOAD: TexterLoad = { active: true, notStarted: 0, needsReply: 0 };
const TEXTERS = ['t1', 't2', 't3'];

function claimOf(texterId: string, count?: number, grantedBefore = 0): Claim {
  const request = { kind: 'self-assign', operationId: 'cl', campaignId: 'c', texterId, count } as const;
  const granted = Array.from({ length: grantedBefore }, (_, at) => `granted before ${at + 1}`);
  return { ...newClaim({ request, requestHash: 'hash', sendId: 'sender' }, new Date(0)), granted };
}

function snapshotOf(
  settings: Partial<SelfAssignSettings>,
  loads: Readonly<Record<string, Partial<TexterLoad>>> = {},
): Snapshot {
  return {
    campaign: { closed: false, selfAssign: { ...RULES, ...settings } },
    texters: new Map(TEXTERS.map((texterId) => [texterId, { ...NO_LOAD, ...loads[texterId] }])),
  };
}

const poolOf = (size: number): string[] => Array.from({ length: size }, (_, at) => `conversation ${at + 1}`);

function refusalOf(result: Room | Refusal): Refusal | undefined {
  return result instanceof Refusal ? result : undefined;
}

describe('the rules of self-assign', () => {
  it.each([
    ['the number asked for when no rule allows less', 7, {}, {}, 7, null],
    ['the maximum for one claim when no number is asked for', undefined, {}, {}, 10, null],
    ['the maximum for one claim when more is asked for', 11, {}, {}, 10, 'batch-max'],
    ['the places left to the texter', 10, {}, { notStarted: 13 }, 7, 'open-max'],
    ['the places left to the texter when no number is asked for', undefined, {}, { notStarted: 13 }, 7, 'open-max'],
    ['the last place left to the texter', 1, {}, { notStarted: 19 }, 1, null],
    ['the smaller of both maximums', 50, { batchMax: 6 }, { notStarted: 13 }, 6, 'batch-max'],
    ['the maximum for one claim when both are equal', 50, { batchMax: 7 }, { notStarted: 13 }, 7, 'batch-max'],
    [
      'the number asked for when the unanswered replies reach their maximum',
      3,
      { repliesMax: 2 },
      { needsReply: 2 },
      3,
      null,
    ],
    ['the number asked for when no rule limits the unanswered replies', 3, {}, { needsReply: 900 }, 3, null],
  ] as const)('allow %s', (_name, wanted, settings, load, count, limitedBy) => {
    expect(roomOf(claimOf('t1', wanted), snapshotOf(settings, { t1: load }))).toEqual({ count, limitedBy });
  });

  it.each([
    ['self-assign-off', { enabled: false }, {}, 'a campaign that does not allow self-assign'],
    ['open-max-reached', {}, { notStarted: 20 }, '20'],
    ['open-max-reached', {}, { notStarted: 400 }, '400'],
    ['replies-first', { repliesMax: 0 }, { needsReply: 1 }, '1'],
    ['replies-first', { repliesMax: 5 }, { needsReply: 6, notStarted: 20 }, '6'],
    [
      'self-assign-off',
      { enabled: false, repliesMax: 0 },
      { needsReply: 1, notStarted: 20 },
      'a campaign that does not allow self-assign',
    ],
  ] as const)('refuse with %s and the received value', (code, settings, load, received) => {
    const refusal = refusalOf(roomOf(claimOf('t1', 1), snapshotOf(settings, { t1: load })));
    expect(refusal).toMatchObject({ code, received });
  });

  it.each([
    [{ openMax: 60 }, { notStarted: 61 }, 'texter t1 has 61 not-started conversations, and campaign c allows 60'],
    [{ repliesMax: 4 }, { needsReply: 5 }, 'texter t1 has 5 conversations that need a reply, and campaign c allows 4'],
    [{ enabled: false }, {}, 'campaign c does not allow self-assign'],
    [{}, { active: false }, 'texter t1 is paused'],
  ])('say what is wrong in the message of a refusal', (settings, load, message) => {
    expect(refusalOf(roomOf(claimOf('t1', 1), snapshotOf(settings, { t1: load })))?.message).toBe(message);
  });

  it('distinguish a texter who is not on the campaign from a paused texter', () => {
    const snapshot = snapshotOf({}, { t2: { active: false } });
    expect(refusalOf(roomOf(claimOf('stranger'), snapshot))).toMatchObject({ code: 'unknown-texter' });
    expect(refusalOf(roomOf(claimOf('t2'), snapshot))).toMatchObject({ code: 'texter-inactive' });
    expect(refusalOf(roomOf(claimOf('t1'), snapshot))).toBeUndefined();
  });
});

/** Deals as a round does: reads as much of the pool as the claims need, and deals it. */
function deal(claims: readonly Claim[], snapshot: Snapshot, pool: readonly string[]): Decision[] {
  const { poolNeeded } = claimsThatFit(claims, snapshot, { conversationsMax: Infinity, grantedSoFar: 0 });
  return dealPool(claims, snapshot, { ids: pool.slice(0, poolNeeded), shortage: 'none-left' });
}

const codesOf = (decisions: readonly Decision[]): unknown[] => decisions.map(({ refusal }) => refusal?.code ?? null);
const sizesOf = (decisions: readonly Decision[]): number[] => decisions.map(({ granted }) => granted.length);

describe('a round of claims', () => {
  it('lets several claims of one texter share the places left to the texter', () => {
    const claims = [claimOf('t1', 9), claimOf('t2', 9), claimOf('t1', 9), claimOf('t1', 9)];
    const decisions = deal(claims, snapshotOf({ openMax: 12 }), poolOf(100));
    expect(sizesOf(decisions)).toEqual([9, 9, 3, 0]);
    expect(codesOf(decisions)).toEqual([null, null, null, 'open-max-reached']);
  });

  it('does not refuse a second claim of a texter whose first claim found the pool short', () => {
    const decisions = deal([claimOf('t1', 10), claimOf('t1', 5)], snapshotOf({ openMax: 10 }), poolOf(2));
    expect(sizesOf(decisions)).toEqual([2, 0]);
    expect(codesOf(decisions)).toEqual([null, null]);
  });

  it('grants a waiting claim only what it still lacks', () => {
    const decisions = deal([claimOf('t1', 10, 7), claimOf('t2', undefined, 4)], snapshotOf({}), poolOf(100));
    expect(sizesOf(decisions)).toEqual([3, 6]);
  });

  it('grants nothing to a waiting claim above a lowered maximum, and grants the other claims no less', () => {
    const claims = [claimOf('t1', 10, 5), claimOf('t2', 3), claimOf('t1', 3)];
    const decisions = deal(claims, snapshotOf({ batchMax: 3 }), poolOf(100));
    expect(sizesOf(decisions)).toEqual([0, 3, 3]);
  });

  it('does not grant a waiting claim a conversation that it was granted before', () => {
    const waiting = { ...claimOf('t1', 3), granted: ['conversation 2'] };
    const decisions = deal([waiting, claimOf('t2', 2)], snapshotOf({}), poolOf(4));
    expect(decisions.map(({ granted }) => granted)).toEqual([
      ['conversation 1', 'conversation 3'],
      ['conversation 2', 'conversation 4'],
    ]);
  });

  it.each([
    ['unknown-campaign', { campaign: undefined }],
    ['campaign-closed', { campaign: { closed: true, selfAssign: RULES } }],
    ['unknown-texter', { texters: new Map() }],
    ['texter-inactive', { texters: new Map([['t1', { ...NO_LOAD, active: false }]]) }],
  ] as const)('refuses with %s before it applies the rules of self-assign', (code, other) => {
    const decisions = deal([claimOf('t1', 1)], { ...snapshotOf({ enabled: false }), ...other }, poolOf(1));
    expect(codesOf(decisions)).toEqual([code]);
    expect(sizesOf(decisions)).toEqual([0]);
  });

  it.each([
    ['all claims when they fit', { conversationsMax: 14, grantedSoFar: 1 }, 3, 13],
    ['the claims that fit whole', { conversationsMax: 12, grantedSoFar: 0 }, 2, 9],
    ['the first claim of the round, however large it is', { conversationsMax: 1, grantedSoFar: 0 }, 1, 5],
    ['no claim when the next one does not fit', { conversationsMax: 5, grantedSoFar: 1 }, 0, 0],
  ])('takes from the front of the queue %s', (_name, limit, count, poolNeeded) => {
    // The second claim lacks three conversations. The one that it was granted before may be at the front of the pool.
    const claims = [claimOf('t1', 5), claimOf('t2', 4, 1), claimOf('t3', 4)];
    expect(claimsThatFit(claims, snapshotOf({}), limit)).toEqual({ fitting: claims.slice(0, count), poolNeeded });
  });

  it('takes refused claims with the claims before them, even after a claim that is too large', () => {
    const claims = [claimOf('t2', 3), claimOf('t1', 9), claimOf('t2', 3), claimOf('t3', 4)];
    const snapshot = snapshotOf({}, { t2: { notStarted: 20 } });
    const limit = { conversationsMax: 5, grantedSoFar: 0 };
    expect(claimsThatFit(claims, snapshot, limit)).toEqual({ fitting: claims.slice(0, 3), poolNeeded: 9 });
  });

  it('does not let a refused claim take conversations from the claims after it', () => {
    const snapshot = snapshotOf({ repliesMax: 0 }, { t1: { needsReply: 1 } });
    const decisions = deal([claimOf('t1', 10), claimOf('t2', 4)], snapshot, poolOf(4));
    expect(sizesOf(decisions)).toEqual([0, 4]);
  });
});

const load = fc.record({ notStarted: fc.nat(25), needsReply: fc.nat(4) });
const settings = fc.record({
  enabled: fc.boolean(),
  batchMax: fc.integer({ min: 1, max: 12 }),
  openMax: fc.integer({ min: 1, max: 25 }),
  repliesMax: fc.option(fc.nat(3)),
});
const claims = fc.array(
  fc
    .record({
      texterId: fc.constantFrom(...TEXTERS, 'stranger', 'paused'),
      count: fc.option(fc.integer({ min: 1, max: 15 }), { nil: undefined }),
      grantedBefore: fc.nat(12),
    })
    .map(({ texterId, count, grantedBefore }) =>
      claimOf(texterId, count, Math.min(grantedBefore, (count ?? Infinity) - 1)),
    ),
  { maxLength: 12 },
);

interface Example {
  readonly snapshot: Snapshot;
  readonly pool: readonly string[];
  readonly selfAssign: SelfAssignSettings;
  readonly decisions: readonly Decision[];
}

const example: fc.Arbitrary<Example> = fc
  .record({
    claims,
    selfAssign: settings,
    closed: fc.boolean(),
    loads: fc.dictionary(fc.constantFrom(...TEXTERS), load),
    poolSize: fc.nat(60),
  })
  .map(({ claims: submitted, selfAssign, closed, loads, poolSize }) => {
    const { texters } = snapshotOf({}, loads);
    const snapshot: Snapshot = {
      campaign: { closed, selfAssign },
      texters: new Map([...texters, ['paused', { ...NO_LOAD, active: false }]]),
    };
    const pool = poolOf(poolSize);
    return { snapshot, pool, selfAssign, decisions: deal(submitted, snapshot, pool) };
  });

describe('every round of claims', () => {
  const always = (property: (example: Example) => void): void =>
    fc.assert(fc.property(example, property), { numRuns: 200 });

  it('grants each conversation once, the oldest first, and to the claims in their order', () => {
    always(({ decisions, pool }) => {
      const dealt = decisions.flatMap(({ granted }) => granted);
      expect(dealt).toEqual(pool.slice(0, dealt.length));
    });
  });

  it('never grants a claim more than it asks for, or than one claim may have', () => {
    always(({ decisions, selfAssign }) => {
      for (const { claim, granted } of decisions.filter((each) => each.granted.length > 0)) {
        const total = claim.granted.length + granted.length;
        expect(total).toBeLessThanOrEqual(Math.min(claim.request.count ?? Infinity, selfAssign.batchMax));
      }
    });
  });

  it('never gives a texter more not-started conversations than the campaign allows', () => {
    always(({ decisions, snapshot, selfAssign }) => {
      for (const texterId of TEXTERS) {
        const own = decisions.filter(({ claim }) => claim.request.texterId === texterId);
        const dealt = own.reduce((sum, { granted }) => sum + granted.length, 0);
        const before = snapshot.texters.get(texterId)?.notStarted ?? 0;
        if (dealt > 0) expect(before + dealt).toBeLessThanOrEqual(selfAssign.openMax);
      }
    });
  });

  it('never leaves a claim short while the pool has more, and never computes a negative room', () => {
    always(({ decisions, pool }) => {
      const dealt = decisions.reduce((sum, { granted }) => sum + granted.length, 0);
      for (const { room, granted } of decisions) {
        expect(room?.count ?? 0).toBeGreaterThanOrEqual(granted.length);
        if (granted.length < (room?.count ?? 0)) expect(dealt).toBe(pool.length);
      }
    });
  });

  it('grants a refused claim nothing, and names the true number of conversations in the refusal', () => {
    always(({ decisions, snapshot, selfAssign }) => {
      for (const [at, { claim, refusal, granted }] of decisions.entries()) {
        if (!refusal) continue;
        expect(granted).toEqual([]);
        if (refusal.code !== 'open-max-reached') continue;
        const { texterId } = claim.request;
        const earlier = decisions.slice(0, at).filter((each) => each.claim.request.texterId === texterId);
        const before = snapshot.texters.get(texterId)?.notStarted ?? 0;
        expect(refusal.received).toBe(String(earlier.reduce((sum, each) => sum + each.granted.length, before)));
        expect(Number(refusal.received)).toBeGreaterThanOrEqual(selfAssign.openMax);
      }
    });
  });
});

describe('the receipt of a claim', () => {
  const { request } = claimOf('t1', 8);

  it.each([
    [8, { count: 8, limitedBy: null }, null],
    [5, { count: 5, limitedBy: 'open-max' }, 'open-max'],
    [5, { count: 5, limitedBy: 'batch-max' }, 'batch-max'],
    [3, { count: 5, limitedBy: 'batch-max' }, 'none-left'],
    [0, { count: 8, limitedBy: null }, 'none-left'],
  ] as const)(
    'with %i conversations granted in the room %j says why it is short: %s',
    (granted, room, shortBecause) => {
      expect(claimReceipt(request, granted, room, 'none-left')).toMatchObject({
        asked: 8,
        selected: granted,
        moved: granted,
        shortBecause,
        skipped: [],
      });
    },
  );

  it('counts the moves from the pool to the texter, and has no groups when nothing moved', () => {
    const some = claimReceipt(request, 3, { count: 8, limitedBy: null }, 'none-left');
    expect(some).toMatchObject({
      bySource: [{ assigneeId: null, count: 3 }],
      byTarget: [{ assigneeId: 't1', count: 3 }],
      byStatus: [{ status: 'not-started', count: 3 }],
    });
    const none = claimReceipt(request, 0, { count: 8, limitedBy: null }, 'none-left');
    expect(none).toMatchObject({ bySource: [], byTarget: [], byStatus: [] });
  });
});
