import { setImmediate as otherwise, setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answered,
  HANDED_AGAIN_MS,
  threeCoordinators,
  type Coordinator,
  type Coordinators,
} from '../support/coordinators.ts';
import { testConfig } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_DESK_SEED'] ?? 1);

describe(`the coordinator where claims meet, when things fail (seed ${SEED})`, () => {
  const { current, one, two, three } = threeCoordinators();
  let coordinators: Coordinators;
  beforeEach(() => (coordinators = current()));

  it('goes on when the answers of a round cannot be told, and tells them when they are asked for again', async () => {
    const { letGo } = coordinators.hold();
    const [first, forwarded, own] = [
      coordinators.newClaim('c1'),
      coordinators.newClaim('c1'),
      coordinators.newClaim('c1'),
    ];
    const asked = [one().submit(first)];
    await coordinators.roundWith(first);
    const untold = two().submit(forwarded);
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
    expect((await untold).granted).toEqual(coordinators.kept(forwarded.request.operationId));
  });

  it('leaves what it has in hand to whoever has the turn, when its own runs out between two rounds', async () => {
    coordinators.servedMax = 1;
    const [own, others] = [one(), two()].map((coordinator) =>
      Array.from({ length: 6 }, () => ({ coordinator, claim: coordinators.newClaim('c1') })),
    );
    const first = coordinators.hold((coordinator) => coordinator === one());
    const asked = own?.map(({ coordinator, claim }) => coordinator.submit(claim)) ?? [];
    await until('a round at the first', () => coordinators.rounds.length === 1);
    await coordinators.turnsRunOut();
    const second = coordinators.hold((coordinator) => coordinator === two());
    asked.push(...(others?.map(({ coordinator, claim }) => coordinator.submit(claim)) ?? []));
    await until('a round at the second', () => coordinators.rounds.length === 2);
    await coordinators.turnsLast();
    first.letGo();
    await answered(asked.slice(0, 1));
    await one().settled();
    second.letGo();
    await answered(asked);
    expect(coordinators.rounds.filter(({ coordinator }) => coordinator === one())).toHaveLength(1);
  });

  describe('when a coordinator dies', () => {
    const abandoned = (asked: Promise<unknown>): void => void asked.catch(() => undefined);

    async function heirServes(asked: readonly Promise<unknown>[]): Promise<void> {
      await coordinators.turnsRunOut();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
      await answered(asked);
    }

    it('with claims forwarded over to it and not yet taken up, another serves them', async () => {
      coordinators.hold((coordinator) => coordinator === one());
      const claim = coordinators.newClaim('c1');
      abandoned(one().submit(claim));
      await coordinators.roundWith(claim);
      const asked = [two().submit(coordinators.newClaim('c1')), three().submit(coordinators.newClaim('c1'))];
      await Promise.all([two().settled(), three().settled()]);
      one().die();
      await heirServes(asked);
      expect(coordinators.rounds.slice(1).every(({ coordinator }) => coordinator !== one())).toBe(true);
    });

    it('in the round that serves what was forwarded over, another serves it', async () => {
      const { letGo } = coordinators.hold();
      const [claim, forwarded] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
      const first = one().submit(claim);
      await coordinators.roundWith(claim);
      const asked = two().submit(forwarded);
      await two().settled();
      coordinators.hold((coordinator) => coordinator === one());
      letGo();
      await coordinators.roundWith(forwarded);
      await answered([first]);
      one().die();
      await heirServes([asked]);
      expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), one(), two()]);
    });

    it('after it has written and before it has answered, the ledger’s answer is given', async () => {
      const { letGo } = coordinators.hold();
      const [claim, forwarded] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
      abandoned(one().submit(claim));
      await coordinators.roundWith(claim);
      const asked = two().submit(forwarded);
      await two().settled();
      one().around = (name, call) => (name === 'publish' ? new Promise(() => undefined) : call());
      letGo();
      const kept = await until('the ledger to have it', () => coordinators.kept(forwarded.request.operationId));
      one().die();
      await heirServes([asked]);
      expect((await asked).granted).toEqual(kept);
    });

    it('for as long as its turn lasts only: a round that took longer leaves the rest to the next', async () => {
      const first = coordinators.hold((coordinator) => coordinator === one());
      const claim = coordinators.newClaim('c1');
      const asked = [one().submit(claim)];
      await coordinators.roundWith(claim);
      await coordinators.turnsRunOut();
      const second = coordinators.hold((coordinator) => coordinator === two());
      const next = coordinators.newClaim('c1');
      asked.push(two().submit(next));
      await coordinators.roundWith(next);
      const last = coordinators.newClaim('c1');
      asked.push(three().submit(last));
      await three().settled();
      first.letGo();
      await answered(asked.slice(0, 1));
      await one().settled();
      expect(coordinators.roundsOf(last.request.operationId)).toBe(0);
      second.letGo();
      await answered(asked);
      expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), two(), two()]);
    });
  });

  it('loses nothing when Redis is away again and again', async () => {
    coordinators.servedMax = 3;
    const random = new Random(SEED);
    const proxy = await TcpProxy.before(testConfig().queue.redisUrl);
    const behind = [await coordinators.open(proxy.url), await coordinators.open(proxy.url)];
    coordinators.during = () => (random.chance(0.5) ? otherwise() : sleep(random.between(0, 3)));
    let answers = 0;
    const texter = async (coordinator: Coordinator): Promise<void> => {
      for (let turn = 0; turn < 10; turn += 1) {
        const claim = coordinators.newClaim('c1');
        const served = await coordinator.submit(claim);
        expect(served.granted).toEqual(coordinators.kept(claim.request.operationId));
        answers += 1;
      }
    };
    const working = [one(), two(), three(), ...behind].flatMap((coordinator) =>
      Array.from({ length: 20 }, () => texter(coordinator)),
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
      if (looks % 40 === 0) await coordinators.turnsRunOut();
      return count() >= enough;
    });
  }
});
