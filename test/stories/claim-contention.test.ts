import { serveClaims } from '../../src/claims/index.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ClaimCommand } from '../../src/claims/contract.ts';
import { createContext, type Context } from '../../src/context.ts';
import type { Claim } from '../../src/claims/claim.ts';
import { MongoClaimStore } from '../../src/claims/claim-store.ts';
import type { Database } from '../../src/mongo/database.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { Harness, many } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { rawConversations } from '../support/raw.ts';
import { until } from '../support/until.ts';

const OPEN_MAX = 10;
const ROUND_MAX = 1_000;
const RULES = { enabled: true, batchMax: 8, openMax: OPEN_MAX };

/** Two stores on one database, without the lease that normally separates their rounds. Only the writes protect them. */
describe('rounds of claims that run at the same time', () => {
  let harness: Harness;
  let other: Context;
  beforeAll(async () => {
    harness = await Harness.open({ roundRepeatedForMs: 10_000 });
    other = await createContext(harness.config);
  });
  afterAll(async () => {
    await other.close();
    await harness.close();
  });

  const both = (): Context[] => [harness.context, other];

  function command(
    campaignId: string,
    texterId: string,
    count: number,
    operationId = harness.newId('cl'),
  ): ClaimCommand {
    const request = { kind: 'self-assign', operationId, campaignId, texterId, count } as const;
    return { request, requestHash: requestHash(request), sendId: 'test' };
  }

  const waiting = ({ request, ...rest }: ClaimCommand): ClaimCommand => ({
    ...rest,
    request: { ...request, waitMs: 600_000 },
  });

  async function seed(texters: number, conversations: number): Promise<string> {
    const campaignId = await harness.seedCampaign(texters, { selfAssign: RULES });
    const pool = Array.from({ length: conversations }, (_, at) => ({ waitedMs: conversations - at }));
    await harness.seedConversations(campaignId, pool);
    return campaignId;
  }

  const sizes = (claims: readonly Claim[]): number[] => claims.map(({ granted }) => granted.length);

  it('never give a texter with claims in both rounds more than the campaign allows', async () => {
    const campaignId = await seed(1, 400);
    const free = { $set: { assigneeId: null } };
    for (let round = 0; round < 8; round += 1) {
      const serving = both().flatMap(({ stores }) =>
        [8, 5].map((count) => serveClaims(stores.claims, campaignId, [command(campaignId, 't1', count)])),
      );
      const rounds = await Promise.all(serving);
      const claims = rounds.flatMap(({ answered }) => answered);
      const granted = sizes(claims).reduce((sum, size) => sum + size, 0);
      expect(granted).toBe(OPEN_MAX);
      expect((await harness.loads(campaignId))['t1']).toBe(OPEN_MAX);
      for (const { error } of claims) expect([undefined, 'open-max-reached']).toContain(error?.code);
      await harness.context.database.conversations.updateMany({ campaignId, assigneeId: 't1' }, free);
    }
  });

  it('never give a texter more than the campaign allows when they grant different conversations', async () => {
    const campaignId = await seed(1, 8);
    const older = Array.from({ length: 8 }, () => ({ waitedMs: 60_000 }));
    let meanwhile: Promise<unknown> | undefined;
    // Between the reads and the writes of the first round, older conversations come back and the second round grants them.
    const slow = new MongoClaimStore(
      beforeAssigning(harness.context.database, async () => {
        if (meanwhile) return;
        await harness.seedConversations(campaignId, older);
        meanwhile = serveClaims(other.stores.claims, campaignId, [command(campaignId, 't1', 8)]);
        // The second round either commits now or waits for the first one.
        await Promise.race([meanwhile, sleep(300)]);
      }),
      ROUND_MAX,
    );
    await serveClaims(slow, campaignId, [command(campaignId, 't1', 8)]);
    await meanwhile;
    expect(await harness.loads(campaignId)).toEqual({ t1: OPEN_MAX, pool: 16 - OPEN_MAX });
  });

  it('grant each conversation once when all of them want the oldest ones', async () => {
    const campaignId = await seed(40, 170);
    const rounds = await Promise.all(
      Array.from({ length: 8 }, (_, at) => {
        const commands = Array.from({ length: 5 }, (_each, index) => command(campaignId, `t${at * 5 + index + 1}`, 5));
        return serveClaims((both()[at % 2] as Context).stores.claims, campaignId, commands);
      }),
    );
    const granted = rounds.flatMap(({ answered }) => answered.flatMap((claim) => claim.granted));
    const docs = await rawConversations(harness, campaignId);
    expect(new Set(granted).size).toBe(170);
    expect(granted).toHaveLength(170);
    expect([...docs.values()].map(({ assignmentVersion }) => assignmentVersion)).toEqual(granted.map(() => 1));
  });

  it('store one claim when both receive the same operation id at once', async () => {
    const campaignId = await seed(2, 100);
    for (let round = 0; round < 10; round += 1) {
      const [same, mine, theirs] = [
        command(campaignId, 't1', 1),
        command(campaignId, 't2', 1),
        command(campaignId, 't2', 1),
      ];
      const [one, two] = await Promise.all([
        serveClaims(harness.context.stores.claims, campaignId, [mine, same]),
        serveClaims(other.stores.claims, campaignId, [same, theirs]),
      ]);
      const answers = [...one.answered, ...two.answered].filter(
        ({ operationId }) => operationId === same.request.operationId,
      );
      expect(answers).toHaveLength(2);
      expect(answers[0]?.granted).toEqual(answers[1]?.granted);
      const free = { $set: { assigneeId: null } };
      expect(await harness.loads(campaignId)).toMatchObject({ t1: 1, t2: 2 });
      await harness.context.database.conversations.updateMany({ campaignId, assigneeId: { $ne: null } }, free);
    }
  });

  it('answer known claims as stored, even when another one becomes known during the lookup', async () => {
    const campaignId = await seed(3, 100);
    const [first, second, third] = ['t1', 't2', 't3'].map((texterId) => command(campaignId, texterId, 1));
    if (!first || !second || !third) throw new Error('expected three claims');
    await serveClaims(other.stores.claims, campaignId, [first]);
    const overtaken = new MongoClaimStore(harness.context.database, ROUND_MAX);
    const transaction = harness.context.database.transaction.bind(harness.context.database);
    let rounds = 0;
    const spy = vi.spyOn(harness.context.database, 'transaction').mockImplementation(async (work) => {
      rounds += 1;
      // Between the lookup of known claims and the second transaction.
      if (rounds === 2) await serveClaims(other.stores.claims, campaignId, [second]);
      return transaction(work);
    });
    const { answered } = await serveClaims(overtaken, campaignId, [first, second, third]);
    spy.mockRestore();
    expect(rounds).toBe(3);
    expect(answered.map(({ operationId }) => operationId).sort()).toEqual(
      [first, second, third].map(({ request }) => request.operationId).sort(),
    );
    expect(await harness.loads(campaignId)).toEqual({ t1: 1, t2: 1, t3: 1, pool: 97 });
  });

  it('serve whole claims up to the limit of a round, and leave the others to the next round', async () => {
    const campaignId = await seed(6, 0);
    const claims = new MongoClaimStore(harness.context.database, 7);
    await serveClaims(claims, campaignId, [waiting(command(campaignId, 't6', 8))]);
    await harness.seedConversations(campaignId, many(40));
    const commands = [3, 4, 4, 8, 3].map((count, at) => command(campaignId, `t${at + 1}`, count));
    const rounds: unknown[] = [];
    for (let left = commands; left.length > 0;) {
      const { answered, completed } = await serveClaims(claims, campaignId, left);
      rounds.push([completed.length, ...sizes(answered)]);
      left = left.slice(answered.length);
    }
    expect(rounds).toEqual([[1], [0, 3, 4], [0, 4], [0, 8], [0, 3]]);
  });

  it('apply the limit of a round to several pages of waiting claims', async () => {
    const campaignId = await seed(102, 0);
    const claims = new MongoClaimStore(harness.context.database, 101);
    const asked = Array.from({ length: 102 }, (_, at) =>
      waiting(command(campaignId, `t${at + 1}`, at === 100 ? 8 : 1)),
    );
    await serveClaims(claims, campaignId, asked);
    await harness.seedConversations(campaignId, many(200));
    const rounds: unknown[] = [];
    for (let isDone = false; !isDone;) {
      const { completed, servedAllWaiting } = await serveClaims(claims, campaignId, []);
      rounds.push([completed.length, servedAllWaiting]);
      isDone = servedAllWaiting;
    }
    expect(rounds).toEqual([
      [100, false],
      [2, true],
    ]);
  });

  it('complete a waiting claim that has all it may have, even when earlier claims empty the pool', async () => {
    const campaignId = await seed(3, 0);
    const { database } = harness.context;
    const claims = new MongoClaimStore(database, 1);
    const [first, second, full] = [
      command(campaignId, 't1', 5),
      command(campaignId, 't2', 5),
      command(campaignId, 't3', 8),
    ];
    await serveClaims(claims, campaignId, [waiting(full)]);
    await harness.seedConversations(campaignId, [{}, {}]);
    await serveClaims(claims, campaignId, []);
    await serveClaims(claims, campaignId, [waiting(first), waiting(second)]);
    // The claim that was granted conversations moves behind the claims that were granted none.
    await database.claims.updateOne({ _id: full.request.operationId }, { $set: { 'waiting.sequence': 9 } });
    await database.campaigns.updateOne({ _id: campaignId }, { $set: { 'selfAssign.batchMax': 2 } });
    const { completed } = await serveClaims(claims, campaignId, []);
    expect(completed.map(({ operationId, granted }) => [operationId, granted.length])).toEqual([
      [full.request.operationId, 2],
    ]);
  });

  it('add nothing to a waiting claim that ends meanwhile', async () => {
    const campaignId = await seed(1, 0);
    const { stores, database } = harness.context;
    for (let round = 0; round < 20; round += 1) {
      const claim = command(campaignId, 't1', 3);
      await serveClaims(stores.claims, campaignId, [waiting(claim)]);
      await harness.seedConversations(campaignId, [{}, {}]);
      const [, ended] = await Promise.all([
        serveClaims(stores.claims, campaignId, []),
        other.stores.claims.endWaiting(claim.request.operationId),
      ]);
      const assigned = await database.conversations.countDocuments({ campaignId, assigneeId: 't1' });
      expect([0, 2]).toContain(assigned);
      expect(ended).toMatchObject({ state: 'done', waiting: null, receipt: { moved: assigned } });
      expect(ended?.granted).toHaveLength(assigned);
      await database.conversations.deleteMany({ campaignId });
    }
  });

  it('fail no claim while bulk operations take from the same pool', async () => {
    const random = new Random(1);
    const campaignId = await seed(30, 600);
    await harness.startWorker({ batchConversationsMax: 20 });
    await harness.startWorker();
    let isOver = false;
    const bulk = async (): Promise<void> => {
      while (!isOver) {
        const asked = { operationId: harness.newId('op'), campaignId, status: 'any' } as const;
        const to = { texterIds: random.some(['t28', 't29', 't30'], 2) };
        await (await harness.producer.reassign({ ...asked, from: 'pool', to, count: 60 })).result();
        const back = { ...asked, operationId: harness.newId('op'), from: to, confirm: 600 };
        await (await harness.producer.unassign(back)).result();
      }
    };
    const working = bulk();
    const texter = async (texterId: string): Promise<void> => {
      for (let count = 0; count < 4; count += 1) {
        const sent = await harness.producer.selfAssign({
          operationId: harness.newId('cl'),
          campaignId,
          texterId,
          count: 2,
        });
        expect((await sent.result()).conversationIds).toHaveLength(2);
      }
    };
    await Promise.all(Array.from({ length: 27 }, (_, at) => texter(`t${at + 1}`)));
    isOver = true;
    await working;
    const { pool, ...byTexter } = await harness.loads(campaignId);
    expect(pool).toBe(600 - 27 * 8);
    expect(Object.values(byTexter)).toEqual(Array.from({ length: 27 }, () => 8));
  });
});

/** A database that calls `act` just before a round assigns conversations. */
function beforeAssigning(database: Database, act: () => Promise<void>): Database {
  const { conversations } = database;
  const intercepted = replaced(
    conversations,
    'bulkWrite',
    async (...args: Parameters<typeof conversations.bulkWrite>) => {
      await act();
      return conversations.bulkWrite(...args);
    },
  );
  return replaced(database, 'conversations', intercepted);
}

function replaced<Target extends object>(original: Target, key: keyof Target, replacement: unknown): Target {
  return new Proxy(original, {
    get: (target, name): unknown => {
      if (name === key) return replacement;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

describe('workers with an empty pool', () => {
  it('do not poll the pool for waiting claims', async () => {
    const harness = await Harness.open();
    const rounds = vi.spyOn(MongoClaimStore.prototype, 'inRound');
    const finds = vi.spyOn(MongoClaimStore.prototype, 'find');
    try {
      await harness.startWorker();
      await harness.startWorker();
      const campaignId = await harness.seedCampaign(5, { selfAssign: RULES });
      for (let at = 1; at <= 5; at += 1) {
        const claim = { operationId: harness.newId('cl'), campaignId, texterId: `t${at}`, count: 2, waitMs: 600_000 };
        await harness.producer.selfAssign(claim);
        await until('the claim to wait', () => harness.isWaiting(claim.operationId));
      }
      await noMoreRounds(rounds);
      rounds.mockClear();
      finds.mockClear();
      await sleep(1_000);
      expect(rounds).not.toHaveBeenCalled();
      expect(finds).not.toHaveBeenCalled();
    } finally {
      vi.restoreAllMocks();
      await harness.close();
    }
  });

  /** Resolves after the claims that began to wait have had their second rounds. */
  async function noMoreRounds(rounds: { readonly mock: { readonly calls: readonly unknown[] } }): Promise<void> {
    let [calls, since] = [-1, performance.now()];
    await until('half a second without a round', () => {
      if (rounds.mock.calls.length !== calls) [calls, since] = [rounds.mock.calls.length, performance.now()];
      return performance.now() - since > 500;
    });
  }
});
