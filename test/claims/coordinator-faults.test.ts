import { setImmediate as otherwise, setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { answered, HANDED_AGAIN_MS, threeDesks, type Desk, type Desks } from '../support/coordinators.ts';
import { testConfig } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_DESK_SEED'] ?? 1);

describe(`the desk where claims meet, when things fail (seed ${SEED})`, () => {
  const { current, one, two, three } = threeDesks();
  let desks: Desks;
  beforeEach(() => (desks = current()));

  it('goes on when the answers of a round cannot be told, and tells them when they are asked for again', async () => {
    const { letGo } = desks.hold();
    const [first, handed, own] = [desks.newClaim('c1'), desks.newClaim('c1'), desks.newClaim('c1')];
    const asked = [one().submit(first)];
    await desks.roundWith(first);
    const untold = two().submit(handed);
    asked.push(one().submit(own));
    await two().settled();
    one().around = (name, call) => (name === 'publish' ? Promise.reject(new Error('nobody hears')) : call());
    letGo();
    await answered(asked);
    await one().settled();
    expect(one().troubles).toEqual(['nobody hears']);
    one().around = (_name, call) => call();
    vi.advanceTimersByTime(HANDED_AGAIN_MS);
    await answered([untold]);
    expect((await untold).granted).toEqual(desks.kept(handed.request.operationId));
  });

  it('leaves what it has in hand to whoever has the turn, when its own runs out between two rounds', async () => {
    desks.servedMax = 1;
    const [own, others] = [one(), two()].map((desk) =>
      Array.from({ length: 6 }, () => ({ desk, claim: desks.newClaim('c1') })),
    );
    const first = desks.hold((desk) => desk === one());
    const asked = own?.map(({ desk, claim }) => desk.submit(claim)) ?? [];
    await until('a round at the first', () => desks.rounds.length === 1);
    await desks.turnsRunOut();
    const second = desks.hold((desk) => desk === two());
    asked.push(...(others?.map(({ desk, claim }) => desk.submit(claim)) ?? []));
    await until('a round at the second', () => desks.rounds.length === 2);
    await desks.turnsLast();
    first.letGo();
    await answered(asked.slice(0, 1));
    await one().settled();
    second.letGo();
    await answered(asked);
    expect(desks.rounds.filter(({ desk }) => desk === one())).toHaveLength(1);
  });

  describe('when a desk dies', () => {
    const abandoned = (asked: Promise<unknown>): void => void asked.catch(() => undefined);

    async function heirServes(asked: readonly Promise<unknown>[]): Promise<void> {
      await desks.turnsRunOut();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
      await answered(asked);
    }

    it('with claims handed over to it and not yet taken up, another serves them', async () => {
      desks.hold((desk) => desk === one());
      const claim = desks.newClaim('c1');
      abandoned(one().submit(claim));
      await desks.roundWith(claim);
      const asked = [two().submit(desks.newClaim('c1')), three().submit(desks.newClaim('c1'))];
      await Promise.all([two().settled(), three().settled()]);
      one().die();
      await heirServes(asked);
      expect(desks.rounds.slice(1).every(({ desk }) => desk !== one())).toBe(true);
    });

    it('in the round that serves what was handed over, another serves it', async () => {
      const { letGo } = desks.hold();
      const [claim, handed] = [desks.newClaim('c1'), desks.newClaim('c1')];
      const first = one().submit(claim);
      await desks.roundWith(claim);
      const asked = two().submit(handed);
      await two().settled();
      desks.hold((desk) => desk === one());
      letGo();
      await desks.roundWith(handed);
      await answered([first]);
      one().die();
      await heirServes([asked]);
      expect(desks.rounds.map(({ desk }) => desk)).toEqual([one(), one(), two()]);
    });

    it('after it has written and before it has answered, the ledger’s answer is given', async () => {
      const { letGo } = desks.hold();
      const [claim, handed] = [desks.newClaim('c1'), desks.newClaim('c1')];
      abandoned(one().submit(claim));
      await desks.roundWith(claim);
      const asked = two().submit(handed);
      await two().settled();
      one().around = (name, call) => (name === 'publish' ? new Promise(() => undefined) : call());
      letGo();
      const kept = await until('the ledger to have it', () => desks.kept(handed.request.operationId));
      one().die();
      await heirServes([asked]);
      expect((await asked).granted).toEqual(kept);
    });

    it('for as long as its turn lasts only: a round that took longer leaves the rest to the next', async () => {
      const first = desks.hold((desk) => desk === one());
      const claim = desks.newClaim('c1');
      const asked = [one().submit(claim)];
      await desks.roundWith(claim);
      await desks.turnsRunOut();
      const second = desks.hold((desk) => desk === two());
      const next = desks.newClaim('c1');
      asked.push(two().submit(next));
      await desks.roundWith(next);
      const last = desks.newClaim('c1');
      asked.push(three().submit(last));
      await three().settled();
      first.letGo();
      await answered(asked.slice(0, 1));
      await one().settled();
      expect(desks.roundsOf(last.request.operationId)).toBe(0);
      second.letGo();
      await answered(asked);
      expect(desks.rounds.map(({ desk }) => desk)).toEqual([one(), two(), two()]);
    });
  });

  it('loses nothing when Redis is away again and again', async () => {
    desks.servedMax = 3;
    const random = new Random(SEED);
    const proxy = await TcpProxy.before(testConfig().queue.redisUrl);
    const behind = [await desks.open(proxy.url), await desks.open(proxy.url)];
    desks.during = () => (random.chance(0.5) ? otherwise() : sleep(random.between(0, 3)));
    let answers = 0;
    const texter = async (desk: Desk): Promise<void> => {
      for (let turn = 0; turn < 10; turn += 1) {
        const claim = desks.newClaim('c1');
        const served = await desk.submit(claim);
        expect(served.granted).toEqual(desks.kept(claim.request.operationId));
        answers += 1;
      }
    };
    const working = [one(), two(), three(), ...behind].flatMap((desk) =>
      Array.from({ length: 20 }, () => texter(desk)),
    );
    for (const share of [0.2, 0.4, 0.6]) {
      await answersReach(() => answers, share * 1_000);
      proxy.away();
      await otherwise();
      proxy.back();
    }
    await answersReach(() => answers, 1_000);
    await Promise.all(working);
    await proxy.close();
  });

  /** Time goes on meanwhile, and turns that nobody holds any more run out. */
  async function answersReach(count: () => number, enough: number): Promise<void> {
    let looks = 0;
    await until(`${enough} answers`, async () => {
      looks += 1;
      if (looks % 20 === 0) vi.advanceTimersByTime(HANDED_AGAIN_MS);
      if (looks % 40 === 0) await desks.turnsRunOut();
      return count() >= enough;
    });
  }
});
