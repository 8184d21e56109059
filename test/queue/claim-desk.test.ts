import { setImmediate as otherwise, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClaimCommand } from '../../src/app/ports.ts';
import type { Served } from '../../src/queue/desk-messages.ts';
import { Desks, type Desk } from '../support/desks.ts';
import { testConfig } from '../support/harness.ts';
import { Random } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_DESK_SEED'] ?? 1);
/** After this long without an answer a desk hands a claim over again. Time stands still here until a test moves it. */
const HANDED_AGAIN_MS = 3_000;

describe(`the desk where claims meet (seed ${SEED})`, () => {
  const { redisUrl } = testConfig().queue;
  let desks: Desks;
  let random: Random;
  let [a, b, c]: Desk[] = [];

  beforeEach(async () => {
    // Whatever is answered is answered because somebody served it, not because it was handed over a second time.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    random = new Random(SEED);
    desks = new Desks(redisUrl);
    [a, b, c] = [await desks.open(), await desks.open(), await desks.open()];
  });
  afterEach(async () => {
    vi.useRealTimers();
    await desks.close();
  });

  const all = (): Desk[] => [a, b, c] as Desk[];
  const [one, two, three] = [(): Desk => all()[0] as Desk, (): Desk => all()[1] as Desk, (): Desk => all()[2] as Desk];

  /** Holds the rounds that `which` names until they are let go. */
  function hold(which: (desk: Desk) => boolean = () => true): { letGo: () => void } {
    let letGo: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    desks.during = ({ desk }) => (which(desk) ? gate : Promise.resolve());
    return { letGo };
  }

  /** Resolves in the middle of a held round with this claim. */
  async function roundWith({ request }: ClaimCommand): Promise<void> {
    await until(`a round with ${request.operationId}`, () => desks.roundsOf(request.operationId) > 0);
    await desks.turnsLast();
  }

  async function answered<Answer>(asked: readonly Promise<Answer>[]): Promise<Answer[]> {
    let answers: Answer[] | undefined;
    let failure: unknown;
    Promise.all(asked).then(
      (all) => (answers = all),
      (error: unknown) => (failure = error ?? 'rejected'),
    );
    await until(`${asked.length} claims to be answered`, () => answers ?? failure, 10_000);
    if (!answers) throw failure;
    return answers;
  }

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
    const { letGo } = hold();
    const first = desks.newClaim('c1');
    const asked = [one().submit(first)];
    await roundWith(first);
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

  it('has both its own and those handed over in each round, however many of the others come', async () => {
    const { letGo } = hold();
    const [first = desks.newClaim('c1'), ...others] = Array.from({ length: 221 }, () => desks.newClaim('c1'));
    const asked = [one().submit(first)];
    await roundWith(first);
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
    const gates = hold((desk) => desk === one());
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
    const { letGo } = hold();
    const [claim, handed] = [desks.newClaim('c1'), desks.newClaim('c1')];
    const first = one().submit(claim);
    await roundWith(claim);
    const asked = [two().submit(handed)];
    await two().settled();
    const again = hold();
    letGo();
    await roundWith(handed);
    asked.push(one().submit(handed));
    again.letGo();
    const [, ...answers] = await answered([first, ...asked]);
    expect(answers[0]).toEqual(answers[1]);
  });

  it('tells exactly those who were in a round that failed, and serves the others', async () => {
    const { letGo } = hold();
    const ahead = desks.newClaim('c1');
    const before = one().submit(ahead);
    await roundWith(ahead);
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

  describe('when a desk dies', () => {
    const abandoned = (asked: Promise<unknown>): void => void asked.catch(() => undefined);

    async function heirServes(asked: readonly Promise<unknown>[]): Promise<void> {
      await desks.turnsRunOut();
      vi.advanceTimersByTime(HANDED_AGAIN_MS);
      await answered(asked);
    }

    it('with claims handed over to it and not yet taken up, another serves them', async () => {
      hold((desk) => desk === one());
      const claim = desks.newClaim('c1');
      abandoned(one().submit(claim));
      await roundWith(claim);
      const asked = [two().submit(desks.newClaim('c1')), three().submit(desks.newClaim('c1'))];
      await Promise.all([two().settled(), three().settled()]);
      one().die();
      await heirServes(asked);
      expect(desks.rounds.slice(1).every(({ desk }) => desk !== one())).toBe(true);
    });

    it('in the round that serves what was handed over, another serves it', async () => {
      const { letGo } = hold();
      const [claim, handed] = [desks.newClaim('c1'), desks.newClaim('c1')];
      const first = one().submit(claim);
      await roundWith(claim);
      const asked = two().submit(handed);
      await two().settled();
      hold((desk) => desk === one());
      letGo();
      await roundWith(handed);
      await answered([first]);
      one().die();
      await heirServes([asked]);
      expect(desks.rounds.map(({ desk }) => desk)).toEqual([one(), one(), two()]);
    });

    it('after it has written and before it has answered, the ledger’s answer is given', async () => {
      const { letGo } = hold();
      const [claim, handed] = [desks.newClaim('c1'), desks.newClaim('c1')];
      abandoned(one().submit(claim));
      await roundWith(claim);
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
      const first = hold((desk) => desk === one());
      const claim = desks.newClaim('c1');
      const asked = [one().submit(claim)];
      await roundWith(claim);
      await desks.turnsRunOut();
      const second = hold((desk) => desk === two());
      const next = desks.newClaim('c1');
      asked.push(two().submit(next));
      await roundWith(next);
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
    const proxy = await TcpProxy.before(redisUrl);
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
    const working = [...all(), ...behind].flatMap((desk) => Array.from({ length: 20 }, () => texter(desk)));
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

  describe('a look at the claims that wait', () => {
    it('is one for all who ask for it, by turns with the claims, and after each has asked', async () => {
      const { letGo } = hold();
      const claim = desks.newClaim('c1');
      const first = one().submit(claim);
      await roundWith(claim);
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
      const { letGo } = hold();
      const claim = desks.newClaim('c1');
      const first = one().submit(claim);
      await roundWith(claim);
      const look = two().look('c1');
      await two().settled();
      hold((desk) => desk === one());
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
