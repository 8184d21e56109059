import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimReceipt, refuseTexter, roomFor, type ClaimRequest, type Workload } from '../../src/claims/claim.ts';
import { type SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import { dealPool, leadingClaims, type Dealt, type RoundClaim, type RoundFacts } from '../../src/claims/round-rules.ts';
import { Refusal } from '../../src/domain/errors.ts';

const RULES: SelfAssignSettings = { enabled: true, batchMax: 10, openMax: 20, repliesMax: null };
const NOTHING: Workload = { notStarted: 0, needsReply: 0 };

describe('the rules of self-assign', () => {
  it.each([
    ['all that is asked for, where no rule says less', 7, {}, {}, 7, null],
    ['the most at once, when nothing is said', undefined, {}, {}, 10, null],
    ['the most at once, of more', 11, {}, {}, 10, 'batch-max'],
    ['what may still be held', 10, {}, { notStarted: 13 }, 7, 'open-max'],
    ['what may still be held, when nothing is said', undefined, {}, { notStarted: 13 }, 7, 'open-max'],
    ['the last that may be held', 1, {}, { notStarted: 19 }, 1, null],
    ['the smaller of both', 50, { batchMax: 6 }, { notStarted: 13 }, 6, 'batch-max'],
    ['the most at once, where both say the same', 50, { batchMax: 7 }, { notStarted: 13 }, 7, 'batch-max'],
    ['all, with just as many replies as may wait', 3, { repliesMax: 2 }, { needsReply: 2 }, 3, null],
    ['all, however many replies wait, where no rule looks at them', 3, {}, { needsReply: 900 }, 3, null],
  ] as const)('leave %s', (_name, wanted, settings, workload, count, limitedBy) => {
    const room = roomFor(wanted, { ...RULES, ...settings }, { ...NOTHING, ...workload });
    expect(room).toEqual({ count, limitedBy });
  });

  it.each([
    ['self-assign-off', { enabled: false }, {}, 'one that does not'],
    ['open-max-reached', {}, { notStarted: 20 }, '20'],
    ['open-max-reached', {}, { notStarted: 400 }, '400'],
    ['replies-first', { repliesMax: 0 }, { needsReply: 1 }, '1'],
    ['replies-first', { repliesMax: 5 }, { needsReply: 6, notStarted: 20 }, '6'],
    ['self-assign-off', { enabled: false, repliesMax: 0 }, { needsReply: 1, notStarted: 20 }, 'one that does not'],
  ] as const)('refuse with %s and the numbers', (code, settings, workload, received) => {
    const asking = (): unknown => roomFor(1, { ...RULES, ...settings }, { ...NOTHING, ...workload });
    expect(refusalOf(asking)).toMatchObject({ code, received });
  });

  it('name the limit and what is held', () => {
    const over = refusalOf(() => roomFor(1, { ...RULES, openMax: 60 }, { ...NOTHING, notStarted: 61 }));
    expect(over?.message).toBe('expected fewer than 60 not-started held, got 61');
    const replies = refusalOf(() => roomFor(1, { ...RULES, repliesMax: 4 }, { ...NOTHING, needsReply: 5 }));
    expect(replies?.message).toBe('expected at most 4 held that need a reply, got 5');
  });

  it('tell a texter who is not of the campaign from one who is paused', () => {
    expect(refusalOf(() => refuseTexter('t1', undefined))).toMatchObject({ code: 'unknown-texter' });
    expect(refusalOf(() => refuseTexter('t1', false))).toMatchObject({ code: 'texter-inactive' });
    expect(refusalOf(() => refuseTexter('t1', true))).toBeUndefined();
  });
});

type Outcome = Dealt<RoundClaim>;

/** A round as it is run: as much of the pool is read as the claims could take, and dealt to them in their order. */
function round(claims: readonly RoundClaim[], facts: RoundFacts, pool: readonly string[]): Outcome[] {
  return dealPool(
    claims,
    facts,
    pool.slice(0, leadingClaims(claims, facts, { atMost: Infinity, mayExceed: true }).reached),
  );
}

const TEXTERS = ['t1', 't2', 't3'];

function claimOf(texterId: string, count?: number, grantedBefore = 0): RoundClaim {
  const request: ClaimRequest = { kind: 'self-assign', operationId: 'cl', campaignId: 'c', texterId, count };
  return { request, grantedBefore };
}

function factsOf(settings: Partial<SelfAssignSettings>, workloads: Record<string, Workload> = {}): RoundFacts {
  return {
    campaign: { closed: false, selfAssign: { ...RULES, ...settings } },
    texters: new Map(TEXTERS.map((texterId) => [texterId, true])),
    workloads: new Map(Object.entries(workloads)),
  };
}

const poolOf = (size: number): string[] => Array.from({ length: size }, (_, at) => `conversation ${at + 1}`);
const codesOf = (outcomes: readonly Outcome[]): unknown[] => outcomes.map(({ refusal }) => refusal?.code ?? null);
const sizesOf = (outcomes: readonly Outcome[]): number[] => outcomes.map(({ granted }) => granted.length);

describe('a round of claims', () => {
  it('lets several claims of one texter share what that texter may hold', () => {
    const asked = [claimOf('t1', 9), claimOf('t2', 9), claimOf('t1', 9), claimOf('t1', 9)];
    const outcomes = round(asked, factsOf({ openMax: 12 }), poolOf(100));
    expect(sizesOf(outcomes)).toEqual([9, 9, 3, 0]);
    expect(codesOf(outcomes)).toEqual([null, null, null, 'open-max-reached']);
  });

  it('says what a texter really holds when it refuses another claim of the same texter', () => {
    const outcomes = round([claimOf('t1', 10), claimOf('t1', 5)], factsOf({ openMax: 10 }), poolOf(2));
    expect(sizesOf(outcomes)).toEqual([2, 0]);
    expect(codesOf(outcomes)).toEqual([null, null]);
  });

  it('gives a waiting claim no more than what it still lacks', () => {
    const outcomes = round([claimOf('t1', 10, 7), claimOf('t2', undefined, 4)], factsOf({}), poolOf(100));
    expect(sizesOf(outcomes)).toEqual([3, 6]);
  });

  it('gives a waiting claim nothing, and nobody else less, when the most at once has been lowered below what it has', () => {
    const asked = [claimOf('t1', 10, 5), claimOf('t2', 3), claimOf('t1', 3)];
    const outcomes = round(asked, factsOf({ batchMax: 3 }), poolOf(100));
    expect(sizesOf(outcomes)).toEqual([0, 3, 3]);
  });

  it.each([
    ['unknown-campaign', { campaign: undefined }],
    ['campaign-closed', { campaign: { closed: true, selfAssign: RULES } }],
    ['unknown-texter', { texters: new Map() }],
    ['texter-inactive', { texters: new Map([['t1', false]]) }],
  ] as const)('refuses with %s before it looks at any rule', (code, facts) => {
    const outcomes = round([claimOf('t1', 1)], { ...factsOf({ enabled: false }), ...facts }, poolOf(1));
    expect(codesOf(outcomes)).toEqual([code]);
    expect(sizesOf(outcomes)).toEqual([0]);
  });

  it.each([
    ['all of them, when they reach no further than that', { atMost: 13, mayExceed: false }, 3, 13],
    ['those that fit whole', { atMost: 12, mayExceed: true }, 2, 9],
    ['the first, however far it reaches', { atMost: 1, mayExceed: true }, 1, 5],
    ['none, when the first does not fit', { atMost: 4, mayExceed: false }, 0, 0],
  ])('takes from the front %s', (_name, reach, count, reached) => {
    // The second lacks three; what it had before may lie ahead of them.
    const claims = [claimOf('t1', 5), claimOf('t2', 4, 1), claimOf('t3', 4)];
    expect(leadingClaims(claims, factsOf({}), reach)).toEqual({ leading: claims.slice(0, count), reached });
  });

  it('takes refused claims from the front with those before them, also behind one that is too large', () => {
    const claims = [claimOf('t2', 3), claimOf('t1', 9), claimOf('t2', 3), claimOf('t3', 4)];
    const facts = factsOf({}, { t2: { notStarted: 20, needsReply: 0 } });
    const reach = { atMost: 5, mayExceed: true };
    expect(leadingClaims(claims, facts, reach)).toEqual({ leading: claims.slice(0, 3), reached: 9 });
  });

  it('lets a refused claim take nothing from those behind it', () => {
    const facts = factsOf({ repliesMax: 0 }, { t1: { notStarted: 0, needsReply: 1 } });
    const outcomes = round([claimOf('t1', 10), claimOf('t2', 4)], facts, poolOf(4));
    expect(sizesOf(outcomes)).toEqual([0, 4]);
  });
});

const workload = fc.record({ notStarted: fc.nat(25), needsReply: fc.nat(4) });
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

interface Scene {
  readonly facts: RoundFacts;
  readonly pool: readonly string[];
  readonly selfAssign: SelfAssignSettings;
  readonly outcomes: readonly Outcome[];
}

const scene: fc.Arbitrary<Scene> = fc
  .record({
    claims,
    settings,
    closed: fc.boolean(),
    workloads: fc.dictionary(fc.constantFrom(...TEXTERS), workload),
    poolSize: fc.nat(60),
  })
  .map(({ claims: asked, settings: selfAssign, closed, workloads, poolSize }) => {
    const texters = new Map([...TEXTERS.map((id) => [id, true] as const), ['paused', false] as const]);
    const facts: RoundFacts = {
      campaign: { closed, selfAssign },
      texters,
      workloads: new Map(Object.entries(workloads)),
    };
    const pool = poolOf(poolSize);
    return { facts, pool, selfAssign, outcomes: round(asked, facts, pool) };
  });

describe('whatever is asked, held and allowed, a round', () => {
  const holds = (property: (scene: Scene) => void): void => fc.assert(fc.property(scene, property), { numRuns: 200 });

  it('deals the pool from its oldest on, to the claims in their order, each conversation once', () => {
    holds(({ outcomes, pool }) => {
      const dealt = outcomes.flatMap(({ granted }) => granted);
      expect(dealt).toEqual(pool.slice(0, dealt.length));
    });
  });

  it('never gives a claim more than was asked for, or than one claim may have', () => {
    holds(({ outcomes, selfAssign }) => {
      for (const { claim, granted } of outcomes.filter((each) => each.granted.length > 0)) {
        const total = claim.grantedBefore + granted.length;
        expect(total).toBeLessThanOrEqual(Math.min(claim.request.count ?? Infinity, selfAssign.batchMax));
      }
    });
  });

  it('never lets a claim bring a texter above what may be held', () => {
    holds(({ outcomes, facts, selfAssign }) => {
      for (const texterId of TEXTERS) {
        const given = outcomes.filter(({ claim }) => claim.request.texterId === texterId);
        const dealt = given.reduce((sum, { granted }) => sum + granted.length, 0);
        const held = facts.workloads.get(texterId)?.notStarted ?? 0;
        if (dealt > 0) expect(held + dealt).toBeLessThanOrEqual(selfAssign.openMax);
      }
    });
  });

  it('leaves no room below nothing, and leaves nobody short while the pool has more', () => {
    holds(({ outcomes, pool }) => {
      const dealt = outcomes.reduce((sum, { granted }) => sum + granted.length, 0);
      for (const { room, granted } of outcomes) {
        expect(room?.count ?? 0).toBeGreaterThanOrEqual(granted.length);
        if (granted.length < (room?.count ?? 0)) expect(dealt).toBe(pool.length);
      }
    });
  });

  it('refuses only what a rule refuses, with the texter’s true numbers, and gives it nothing', () => {
    holds(({ outcomes, facts, selfAssign }) => {
      for (const [at, { claim, refusal, granted }] of outcomes.entries()) {
        if (!refusal) continue;
        expect(granted).toEqual([]);
        if (refusal.code !== 'open-max-reached') continue;
        const { texterId } = claim.request;
        const earlier = outcomes.slice(0, at).filter((each) => each.claim.request.texterId === texterId);
        const held = facts.workloads.get(texterId)?.notStarted ?? 0;
        expect(refusal.received).toBe(String(earlier.reduce((sum, each) => sum + each.granted.length, held)));
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
  ] as const)('of %i given in the room %j says why it is short: %s', (granted, room, shortBecause) => {
    expect(claimReceipt(request, granted, room)).toMatchObject({
      asked: 8,
      selected: granted,
      moved: granted,
      shortBecause,
      skipped: [],
    });
  });

  it('counts the moves from the pool to the texter, and none where there was none', () => {
    const some = claimReceipt(request, 3, { count: 8, limitedBy: null });
    expect(some).toMatchObject({
      bySource: [{ assigneeId: null, count: 3 }],
      byTarget: [{ assigneeId: 't1', count: 3 }],
      byStatus: [{ status: 'not-started', count: 3 }],
    });
    const none = claimReceipt(request, 0, { count: 8, limitedBy: null });
    expect(none).toMatchObject({ bySource: [], byTarget: [], byStatus: [] });
  });
});

function refusalOf(act: () => unknown): Refusal | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
