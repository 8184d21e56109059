import { setImmediate as otherwise, setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Served } from '../../src/claims/messages.ts';
import {
  answered,
  HANDED_AGAIN_MS,
  threeCoordinators,
  type Coordinator,
  type Coordinators,
} from '../support/coordinators.ts';
import { Random } from '../support/random.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_DESK_SEED'] ?? 1);

describe(`the coordinator where claims meet (seed ${SEED})`, () => {
  const { current, one, two, three } = threeCoordinators();
  const all = (): Coordinator[] => [one(), two(), three()];
  let coordinators: Coordinators;
  let random: Random;
  beforeEach(() => {
    coordinators = current();
    random = new Random(SEED);
  });

  it('answers every claim, each from the one round it was in, and no two rounds of a campaign overlap', async () => {
    coordinators.during = () => (random.chance(0.5) ? otherwise() : sleep(random.between(0, 3)));
    const campaigns = ['c1', 'c2', 'c3', 'c4'];
    const texter = async (coordinator: Coordinator): Promise<void> => {
      for (let turn = 0; turn < 30; turn += 1) {
        const claim = coordinators.newClaim(random.pick(campaigns));
        const served = await coordinator.submit(claim);
        expect(served.operationId).toBe(claim.request.operationId);
        expect(served.granted).toEqual(coordinators.kept(served.operationId));
        if (random.chance(0.3)) await sleep(random.between(0, 4));
      }
    };
    await Promise.all(all().flatMap((coordinator) => Array.from({ length: 60 }, () => texter(coordinator))));
    const ids = coordinators.rounds.flatMap(({ claimIds }) => claimIds);
    expect(new Set(ids).size).toBe(3 * 60 * 30);
    expect(ids).toHaveLength(3 * 60 * 30);
    expect(coordinators.overlaps).toBe(0);
    expect(coordinators.rounds.length).toBeLessThan(ids.length / 2);
  });

  it('lets whoever has the turn serve what the others hand over, together', async () => {
    const { letGo } = coordinators.hold();
    const first = coordinators.newClaim('c1');
    const asked = [one().submit(first)];
    await coordinators.roundWith(first);
    const forwarded = [two(), three(), two(), one()].map((coordinator) => ({
      coordinator,
      claim: coordinators.newClaim('c1'),
    }));
    asked.push(...forwarded.map(({ coordinator, claim }) => coordinator.submit(claim)));
    await Promise.all([two().settled(), three().settled()]);
    letGo();
    await answered(asked);
    expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), one()]);
    expect([...(coordinators.rounds[1]?.claimIds ?? [])].sort()).toEqual(
      forwarded.map(({ claim }) => claim.request.operationId).sort(),
    );
  });

  it('serves them in the order they came, a hundred at a time', async () => {
    const claims = Array.from({ length: 250 }, () => coordinators.newClaim('c1'));
    await answered(claims.map((claim) => one().submit(claim)));
    expect(coordinators.rounds.flatMap(({ claimIds }) => claimIds)).toEqual(
      claims.map(({ request }) => request.operationId),
    );
    expect(Math.max(...coordinators.rounds.map(({ claimIds }) => claimIds.length))).toBe(100);
  });

  it('answers whoever a round has served before the next begins, and a look when all who wait have been looked at', async () => {
    coordinators.servedMax = 2;
    const claims = Array.from({ length: 5 }, () => coordinators.newClaim('c1'));
    const ids = claims.map(({ request }) => request.operationId);
    let isLet = false;
    const told: string[] = [];
    coordinators.during = async ({ claimIds }) => {
      if (claimIds.includes(ids[0] ?? '') || isLet) return;
      await until('the first two to be told', () => told.length === 2);
      isLet = true;
    };
    const look = one()
      .look('c1')
      .then(() => told.push('look'));
    const asked = claims.map((claim) =>
      one()
        .submit(claim)
        .then((served) => told.push(served.operationId)),
    );
    await answered<unknown>([look, ...asked]);
    expect([...told].sort()).toEqual([...ids, 'look'].sort());
    expect(told.slice(0, 2)).toEqual(ids.slice(0, 2));
    expect(told.indexOf('look')).toBeGreaterThanOrEqual(4);
    expect(coordinators.rounds.map(({ claimIds }) => claimIds)).toEqual([ids, ids.slice(2), ids.slice(4)]);
  });

  it('fills each round up behind what the one before did not get to', async () => {
    coordinators.servedMax = 95;
    const claims = Array.from({ length: 380 }, () => coordinators.newClaim('c1'));
    const ids = claims.map(({ request }) => request.operationId);
    await answered(claims.map((claim) => one().submit(claim)));
    const rounds = [0, 95, 190, 285].map((from) => ids.slice(from, from + 100));
    expect(coordinators.rounds.map(({ claimIds }) => claimIds)).toEqual(rounds);
  });

  it('serves once what is forwarded over again and again while it has no time for it', async () => {
    const { letGo } = coordinators.hold();
    const [first, ...others] = Array.from({ length: 61 }, () => coordinators.newClaim('c1'));
    if (!first) throw new Error('expected a claim');
    const asked = [one().submit(first)];
    await coordinators.roundWith(first);
    asked.push(...others.map((claim) => two().submit(claim)));
    for (let again = 0; again < 4; again += 1) {
      await two().settled();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
    }
    await two().settled();
    letGo();
    await answered(asked);
    await one().settled();
    expect(coordinators.rounds.map(({ claimIds }) => claimIds.length)).toEqual([1, 60]);
  });

  it('has both its own and those forwarded over in each round, however many of the others come', async () => {
    const { letGo } = coordinators.hold();
    const [first = coordinators.newClaim('c1'), ...others] = Array.from({ length: 221 }, () =>
      coordinators.newClaim('c1'),
    );
    const asked = [one().submit(first)];
    await coordinators.roundWith(first);
    asked.push(...others.map((claim, at) => (at < 60 ? one() : two()).submit(claim)));
    await two().settled();
    letGo();
    await answered(asked);
    const own = new Set(others.slice(0, 60).map(({ request }) => request.operationId));
    const shares = coordinators.rounds.map(
      ({ claimIds }) => `${claimIds.filter((id) => own.has(id)).length}/${claimIds.length}`,
    );
    expect(shares).toEqual(['0/1', '50/100', '10/100', '0/20']);
  });

  it('serves different campaigns at the same time', async () => {
    const gates = coordinators.hold((coordinator) => coordinator === one());
    const held = one().submit(coordinators.newClaim('c1'));
    const waits = two().submit(coordinators.newClaim('c1'));
    await until('a round of c1', () => coordinators.rounds.length > 0);
    await answered([two().submit(coordinators.newClaim('c2')), three().submit(coordinators.newClaim('c3'))]);
    gates.letGo();
    await answered([held, waits]);
  });

  it('answers one id that is asked for at two coordinators, and twice at one, with the same', async () => {
    const claim = coordinators.newClaim('c1');
    const [first, ...others] = await answered(
      [one(), two(), two(), three()].map((coordinator) => coordinator.submit(claim)),
    );
    for (const other of others) expect(other).toEqual(first);
  });

  it('answers an id that comes again while it is being served for another coordinator', async () => {
    const { letGo } = coordinators.hold();
    const [claim, forwarded] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
    const first = one().submit(claim);
    await coordinators.roundWith(claim);
    const asked = [two().submit(forwarded)];
    await two().settled();
    const again = coordinators.hold();
    letGo();
    await coordinators.roundWith(forwarded);
    asked.push(one().submit(forwarded));
    again.letGo();
    const [, ...answers] = await answered([first, ...asked]);
    expect(answers[0]).toEqual(answers[1]);
  });

  it('tells exactly those who were in a round that failed, and serves the others', async () => {
    const { letGo } = coordinators.hold();
    const ahead = coordinators.newClaim('c1');
    const before = one().submit(ahead);
    await coordinators.roundWith(ahead);
    const failing = [one(), two(), three()].map((coordinator) => coordinator.submit(coordinators.newClaim('c1')));
    const told = Promise.allSettled(failing);
    await Promise.all([two().settled(), three().settled()]);
    coordinators.during = ({ claimIds }) =>
      claimIds.length === 3 ? Promise.reject(new Error('the database is away')) : Promise.resolve();
    letGo();
    expect((await told).map((each) => each.status === 'rejected' && (each.reason as Error).message)).toEqual(
      [2, 3, 4].map((n) => `claim claim_${n} was not served: the database is away`),
    );
    coordinators.during = () => Promise.resolve();
    await answered([before, ...all().map((coordinator) => coordinator.submit(coordinators.newClaim('c1')))]);
  });

  describe.each(['itself', 'another'] as const)('however a claim brought to %s', (whose) => {
    it.each(['before', 'after'] as const)('falls %s one of its commands, it is served without delay', async (when) => {
      for (let at = 1; ; at += 1) {
        const campaignId = `c${at}`;
        const asked: Promise<Served>[] = [];
        let commands = 0;
        const bring = async (): Promise<void> => {
          asked.push((whose === 'itself' ? one() : two()).submit(coordinators.newClaim(campaignId)));
          if (whose === 'another') await two().settled();
        };
        one().around = async (_name, call) => {
          commands += 1;
          const isNow = commands === at;
          if (isNow && when === 'before') await bring();
          const answer = await call();
          if (isNow && when === 'after') await bring();
          return answer;
        };
        asked.push(one().submit(coordinators.newClaim(campaignId)));
        await one().settled();
        await answered(asked);
        await one().settled();
        if (commands < at) break;
        expect(coordinators.overlaps).toBe(0);
      }
    });
  });

  describe('a look at the claims that wait', () => {
    it('is one for all who ask for it, by turns with the claims, and after each has asked', async () => {
      const { letGo } = coordinators.hold();
      const claim = coordinators.newClaim('c1');
      const first = one().submit(claim);
      await coordinators.roundWith(claim);
      const looks = Array.from({ length: 30 }, (_, at) => (all()[at % 3] as Coordinator).look('c1'));
      await Promise.all([two().settled(), three().settled()]);
      expect(coordinators.rounds).toHaveLength(1);
      letGo();
      await answered<unknown>([first, ...looks]);
      expect(coordinators.rounds).toHaveLength(2);
    });

    it('fails for those who asked, when it fails', async () => {
      coordinators.during = () => Promise.reject(new Error('the database is away'));
      await expect(one().look('c1')).rejects.toThrow('the database is away');
      coordinators.during = () => Promise.resolve();
      await answered([one().look('c1')]);
    });

    it('is not lost with the coordinator that was to take it', async () => {
      const { letGo } = coordinators.hold();
      const claim = coordinators.newClaim('c1');
      const first = one().submit(claim);
      await coordinators.roundWith(claim);
      const look = two().look('c1');
      await two().settled();
      coordinators.hold((coordinator) => coordinator === one());
      letGo();
      await answered([first]);
      await until('the look to be taken', () => coordinators.rounds.length === 2);
      one().die();
      await coordinators.turnsRunOut();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
      await answered([look]);
      expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), one(), two()]);
    });
  });
});
