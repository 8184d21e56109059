import { setImmediate as otherwise, setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Served } from '../../src/claims/messages.ts';
import { answered, HANDED_AGAIN_MS, threeDesks, type Desk, type Desks } from '../support/coordinators.ts';
import { Random } from '../support/random.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_DESK_SEED'] ?? 1);

describe(`the desk where claims meet (seed ${SEED})`, () => {
  const { current, one, two, three } = threeDesks();
  const all = (): Desk[] => [one(), two(), three()];
  let desks: Desks;
  let random: Random;
  beforeEach(() => {
    desks = current();
    random = new Random(SEED);
  });

  it('answers every claim, each from the one round it was in, and no two rounds of a campaign overlap', async () => {
    desks.during = () => (random.chance(0.5) ? otherwise() : sleep(random.between(0, 3)));
    const campaigns = ['c1', 'c2', 'c3', 'c4'];
    const texter = async (desk: Desk): Promise<void> => {
      for (let turn = 0; turn < 30; turn += 1) {
        const claim = desks.newClaim(random.pick(campaigns));
        const served = await desk.submit(claim);
        expect(served.operationId).toBe(claim.request.operationId);
        expect(served.granted).toEqual(desks.kept(served.operationId));
        if (random.chance(0.3)) await sleep(random.between(0, 4));
      }
    };
    await Promise.all(all().flatMap((desk) => Array.from({ length: 60 }, () => texter(desk))));
    const ids = desks.rounds.flatMap(({ claimIds }) => claimIds);
    expect(new Set(ids).size).toBe(3 * 60 * 30);
    expect(ids).toHaveLength(3 * 60 * 30);
    expect(desks.overlaps).toBe(0);
    expect(desks.rounds.length).toBeLessThan(ids.length / 2);
  });

  it('lets whoever has the turn serve what the others hand over, together', async () => {
    const { letGo } = desks.hold();
    const first = desks.newClaim('c1');
    const asked = [one().submit(first)];
    await desks.roundWith(first);
    const handed = [two(), three(), two(), one()].map((desk) => ({ desk, claim: desks.newClaim('c1') }));
    asked.push(...handed.map(({ desk, claim }) => desk.submit(claim)));
    await Promise.all([two().settled(), three().settled()]);
    letGo();
    await answered(asked);
    expect(desks.rounds.map(({ desk }) => desk)).toEqual([one(), one()]);
    expect([...(desks.rounds[1]?.claimIds ?? [])].sort()).toEqual(
      handed.map(({ claim }) => claim.request.operationId).sort(),
    );
  });

  it('serves them in the order they came, a hundred at a time', async () => {
    const claims = Array.from({ length: 250 }, () => desks.newClaim('c1'));
    await answered(claims.map((claim) => one().submit(claim)));
    expect(desks.rounds.flatMap(({ claimIds }) => claimIds)).toEqual(claims.map(({ request }) => request.operationId));
    expect(Math.max(...desks.rounds.map(({ claimIds }) => claimIds.length))).toBe(100);
  });

  it('answers whoever a round has served before the next begins, and a look when all who wait have been looked at', async () => {
    desks.servedMax = 2;
    const claims = Array.from({ length: 5 }, () => desks.newClaim('c1'));
    const ids = claims.map(({ request }) => request.operationId);
    let isLet = false;
    const told: string[] = [];
    desks.during = async ({ claimIds }) => {
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
    expect(desks.rounds.map(({ claimIds }) => claimIds)).toEqual([ids, ids.slice(2), ids.slice(4)]);
  });

  it('fills each round up behind what the one before did not get to', async () => {
    desks.servedMax = 95;
    const claims = Array.from({ length: 380 }, () => desks.newClaim('c1'));
    const ids = claims.map(({ request }) => request.operationId);
    await answered(claims.map((claim) => one().submit(claim)));
    const rounds = [0, 95, 190, 285].map((from) => ids.slice(from, from + 100));
    expect(desks.rounds.map(({ claimIds }) => claimIds)).toEqual(rounds);
  });

  it('serves once what is handed over again and again while it has no time for it', async () => {
    const { letGo } = desks.hold();
    const [first, ...others] = Array.from({ length: 61 }, () => desks.newClaim('c1'));
    if (!first) throw new Error('expected a claim');
    const asked = [one().submit(first)];
    await desks.roundWith(first);
    asked.push(...others.map((claim) => two().submit(claim)));
    for (let again = 0; again < 4; again += 1) {
      await two().settled();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
    }
    await two().settled();
    letGo();
    await answered(asked);
    await one().settled();
    expect(desks.rounds.map(({ claimIds }) => claimIds.length)).toEqual([1, 60]);
  });

  it('has both its own and those handed over in each round, however many of the others come', async () => {
    const { letGo } = desks.hold();
    const [first = desks.newClaim('c1'), ...others] = Array.from({ length: 221 }, () => desks.newClaim('c1'));
    const asked = [one().submit(first)];
    await desks.roundWith(first);
    asked.push(...others.map((claim, at) => (at < 60 ? one() : two()).submit(claim)));
    await two().settled();
    letGo();
    await answered(asked);
    const own = new Set(others.slice(0, 60).map(({ request }) => request.operationId));
    const shares = desks.rounds.map(
      ({ claimIds }) => `${claimIds.filter((id) => own.has(id)).length}/${claimIds.length}`,
    );
    expect(shares).toEqual(['0/1', '50/100', '10/100', '0/20']);
  });

  it('serves different campaigns at the same time', async () => {
    const gates = desks.hold((desk) => desk === one());
    const held = one().submit(desks.newClaim('c1'));
    const waits = two().submit(desks.newClaim('c1'));
    await until('a round of c1', () => desks.rounds.length > 0);
    await answered([two().submit(desks.newClaim('c2')), three().submit(desks.newClaim('c3'))]);
    gates.letGo();
    await answered([held, waits]);
  });

  it('answers one id that is asked for at two desks, and twice at one, with the same', async () => {
    const claim = desks.newClaim('c1');
    const [first, ...others] = await answered([one(), two(), two(), three()].map((desk) => desk.submit(claim)));
    for (const other of others) expect(other).toEqual(first);
  });

  it('answers an id that comes again while it is being served for another desk', async () => {
    const { letGo } = desks.hold();
    const [claim, handed] = [desks.newClaim('c1'), desks.newClaim('c1')];
    const first = one().submit(claim);
    await desks.roundWith(claim);
    const asked = [two().submit(handed)];
    await two().settled();
    const again = desks.hold();
    letGo();
    await desks.roundWith(handed);
    asked.push(one().submit(handed));
    again.letGo();
    const [, ...answers] = await answered([first, ...asked]);
    expect(answers[0]).toEqual(answers[1]);
  });

  it('tells exactly those who were in a round that failed, and serves the others', async () => {
    const { letGo } = desks.hold();
    const ahead = desks.newClaim('c1');
    const before = one().submit(ahead);
    await desks.roundWith(ahead);
    const failing = [one(), two(), three()].map((desk) => desk.submit(desks.newClaim('c1')));
    const told = Promise.allSettled(failing);
    await Promise.all([two().settled(), three().settled()]);
    desks.during = ({ claimIds }) =>
      claimIds.length === 3 ? Promise.reject(new Error('the database is away')) : Promise.resolve();
    letGo();
    expect((await told).map((each) => each.status === 'rejected' && (each.reason as Error).message)).toEqual(
      [2, 3, 4].map((n) => `claim claim_${n} was not served: the database is away`),
    );
    desks.during = () => Promise.resolve();
    await answered([before, ...all().map((desk) => desk.submit(desks.newClaim('c1')))]);
  });

  describe.each(['itself', 'another'] as const)('however a claim brought to %s', (whose) => {
    it.each(['before', 'after'] as const)('falls %s one of its commands, it is served without delay', async (when) => {
      for (let at = 1; ; at += 1) {
        const campaignId = `c${at}`;
        const asked: Promise<Served>[] = [];
        let commands = 0;
        const bring = async (): Promise<void> => {
          asked.push((whose === 'itself' ? one() : two()).submit(desks.newClaim(campaignId)));
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
        asked.push(one().submit(desks.newClaim(campaignId)));
        await one().settled();
        await answered(asked);
        await one().settled();
        if (commands < at) break;
        expect(desks.overlaps).toBe(0);
      }
    });
  });

  describe('a look at the claims that wait', () => {
    it('is one for all who ask for it, by turns with the claims, and after each has asked', async () => {
      const { letGo } = desks.hold();
      const claim = desks.newClaim('c1');
      const first = one().submit(claim);
      await desks.roundWith(claim);
      const looks = Array.from({ length: 30 }, (_, at) => (all()[at % 3] as Desk).look('c1'));
      await Promise.all([two().settled(), three().settled()]);
      expect(desks.rounds).toHaveLength(1);
      letGo();
      await answered<unknown>([first, ...looks]);
      expect(desks.rounds).toHaveLength(2);
    });

    it('fails for those who asked, when it fails', async () => {
      desks.during = () => Promise.reject(new Error('the database is away'));
      await expect(one().look('c1')).rejects.toThrow('the database is away');
      desks.during = () => Promise.resolve();
      await answered([one().look('c1')]);
    });

    it('is not lost with the desk that was to take it', async () => {
      const { letGo } = desks.hold();
      const claim = desks.newClaim('c1');
      const first = one().submit(claim);
      await desks.roundWith(claim);
      const look = two().look('c1');
      await two().settled();
      desks.hold((desk) => desk === one());
      letGo();
      await answered([first]);
      await until('the look to be taken', () => desks.rounds.length === 2);
      one().die();
      await desks.turnsRunOut();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
      await answered([look]);
      expect(desks.rounds.map(({ desk }) => desk)).toEqual([one(), one(), two()]);
    });
  });
});
