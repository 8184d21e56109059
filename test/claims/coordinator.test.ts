import { setImmediate as nextMacrotask, setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServedClaim } from '../../src/claims/contract.ts';
import {
  allReplies,
  REPEATED_AFTER_MS,
  threeCoordinators,
  type Coordinator,
  type Coordinators,
} from '../support/coordinators.ts';
import { Random } from '../support/random.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_COORDINATOR_SEED'] ?? 1);

describe(`a claim coordinator (seed ${SEED})`, () => {
  const { current, one, two, three } = threeCoordinators();
  const all = (): Coordinator[] => [one(), two(), three()];
  let coordinators: Coordinators;
  let random: Random;
  beforeEach(() => {
    coordinators = current();
    random = new Random(SEED);
  });

  it('answers every claim from its only round, and never runs two rounds of a campaign at once', async () => {
    coordinators.during = () => (random.chance(0.5) ? nextMacrotask() : sleep(random.between(0, 3)));
    const campaigns = ['c1', 'c2', 'c3', 'c4'];
    const submitThirty = async (coordinator: Coordinator): Promise<void> => {
      for (let count = 0; count < 30; count += 1) {
        const claim = coordinators.newClaim(random.pick(campaigns));
        const served = await coordinator.submit(claim);
        expect(served.operationId).toBe(claim.request.operationId);
        expect(served.granted).toEqual(coordinators.granted(served.operationId));
        if (random.chance(0.3)) await sleep(random.between(0, 4));
      }
    };
    await Promise.all(all().flatMap((coordinator) => Array.from({ length: 60 }, () => submitThirty(coordinator))));
    const ids = coordinators.rounds.flatMap(({ operationIds }) => operationIds);
    expect(new Set(ids).size).toBe(3 * 60 * 30);
    expect(ids).toHaveLength(3 * 60 * 30);
    expect(coordinators.overlaps).toBe(0);
    expect(coordinators.rounds.length).toBeLessThan(ids.length / 2);
  });

  it('serves the claims that other coordinators forward to it in one round', async () => {
    const { resume } = coordinators.pauseRounds();
    const first = coordinators.newClaim('c1');
    const submitted = [one().submit(first)];
    await coordinators.roundWith(first);
    const later = [two(), three(), two(), one()].map((coordinator) => ({
      coordinator,
      claim: coordinators.newClaim('c1'),
    }));
    submitted.push(...later.map(({ coordinator, claim }) => coordinator.submit(claim)));
    await Promise.all([two().idle(), three().idle()]);
    resume();
    await allReplies(submitted);
    expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), one()]);
    expect([...(coordinators.rounds[1]?.operationIds ?? [])].sort()).toEqual(
      later.map(({ claim }) => claim.request.operationId).sort(),
    );
  });

  it('serves claims in their order of arrival, at most a hundred in a round', async () => {
    const claims = coordinators.newClaims('c1', 250);
    await allReplies(claims.map((claim) => one().submit(claim)));
    expect(coordinators.rounds.flatMap(({ operationIds }) => operationIds)).toEqual(
      claims.map(({ request }) => request.operationId),
    );
    expect(Math.max(...coordinators.rounds.map(({ operationIds }) => operationIds.length))).toBe(100);
  });

  it('answers each claim right after its round, and a request to serve waiting claims after all of them', async () => {
    coordinators.servedMax = 2;
    const claims = coordinators.newClaims('c1', 5);
    const ids = claims.map(({ request }) => request.operationId);
    let hasFirstReplies = false;
    const replied: string[] = [];
    coordinators.during = async ({ operationIds }) => {
      if (operationIds.includes(ids[0] ?? '') || hasFirstReplies) return;
      await until('the first two replies', () => replied.length === 2);
      hasFirstReplies = true;
    };
    const waitingServed = one()
      .serveWaiting('c1')
      .then(() => replied.push('waiting served'));
    const submitted = claims.map((claim) =>
      one()
        .submit(claim)
        .then((served) => replied.push(served.operationId)),
    );
    await allReplies<unknown>([waitingServed, ...submitted]);
    expect([...replied].sort()).toEqual([...ids, 'waiting served'].sort());
    expect(replied.slice(0, 2)).toEqual(ids.slice(0, 2));
    expect(replied.indexOf('waiting served')).toBeGreaterThanOrEqual(4);
    expect(coordinators.rounds.map(({ operationIds }) => operationIds)).toEqual([ids, ids.slice(2), ids.slice(4)]);
  });

  it('puts the claims that a round did not reach at the front of the next round', async () => {
    coordinators.servedMax = 95;
    const claims = coordinators.newClaims('c1', 380);
    const ids = claims.map(({ request }) => request.operationId);
    await allReplies(claims.map((claim) => one().submit(claim)));
    const rounds = [0, 95, 190, 285].map((from) => ids.slice(from, from + 100));
    expect(coordinators.rounds.map(({ operationIds }) => operationIds)).toEqual(rounds);
  });

  it('gives a round at most twice the claims that the last one had room for, and never fewer than ten', async () => {
    const hadRoomFor = [8, 16, 3, 10, 20, 40, 80];
    coordinators.during = () => {
      coordinators.servedMax = hadRoomFor.shift() ?? Infinity;
      return Promise.resolve();
    };
    const claims = coordinators.newClaims('c1', 300);
    const ids = claims.map(({ request }) => request.operationId);
    await allReplies(claims.map((claim) => one().submit(claim)));
    const sizes = coordinators.rounds.map(({ operationIds }) => operationIds.length);
    expect(sizes.slice(0, 8)).toEqual([100, 16, 32, 10, 20, 40, 80, 100]);
    expect(coordinators.rounds[1]?.operationIds).toEqual(ids.slice(8, 24));
  });

  it('serves a claim once although it is forwarded several times during a long round', async () => {
    const { resume } = coordinators.pauseRounds();
    const first = coordinators.newClaim('c1');
    const submitted = [one().submit(first)];
    await coordinators.roundWith(first);
    submitted.push(...coordinators.newClaims('c1', 60).map((claim) => two().submit(claim)));
    for (let repetition = 0; repetition < 4; repetition += 1) {
      await two().idle();
      vi.advanceTimersByTime(REPEATED_AFTER_MS);
    }
    await two().idle();
    resume();
    await allReplies(submitted);
    await one().idle();
    expect(coordinators.rounds.map(({ operationIds }) => operationIds.length)).toEqual([1, 60]);
  });

  it('gives half of each round to local claims when many claims are forwarded', async () => {
    const { resume } = coordinators.pauseRounds();
    const first = coordinators.newClaim('c1');
    const others = coordinators.newClaims('c1', 220);
    const submitted = [one().submit(first)];
    await coordinators.roundWith(first);
    submitted.push(...others.map((claim, at) => (at < 60 ? one() : two()).submit(claim)));
    await two().idle();
    resume();
    await allReplies(submitted);
    const local = new Set(others.slice(0, 60).map(({ request }) => request.operationId));
    const shares = coordinators.rounds.map(
      ({ operationIds }) => `${operationIds.filter((id) => local.has(id)).length}/${operationIds.length}`,
    );
    expect(shares).toEqual(['0/1', '50/100', '10/100', '0/20']);
  });

  it('serves different campaigns at the same time', async () => {
    const { resume } = coordinators.pauseRounds((coordinator) => coordinator === one());
    const paused = one().submit(coordinators.newClaim('c1'));
    const forwarded = two().submit(coordinators.newClaim('c1'));
    await until('a round of c1', () => coordinators.rounds.length > 0);
    await allReplies([two().submit(coordinators.newClaim('c2')), three().submit(coordinators.newClaim('c3'))]);
    resume();
    await allReplies([paused, forwarded]);
  });

  it('gives the same answer to one claim that is submitted at several coordinators, and twice at one', async () => {
    const claim = coordinators.newClaim('c1');
    const [first, ...others] = await allReplies(
      [one(), two(), two(), three()].map((coordinator) => coordinator.submit(claim)),
    );
    for (const other of others) expect(other).toEqual(first);
  });

  it('answers a claim that is submitted locally while it is served for another coordinator', async () => {
    const firstPause = coordinators.pauseRounds();
    const [claim, forwarded] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
    const first = one().submit(claim);
    await coordinators.roundWith(claim);
    const submitted = [two().submit(forwarded)];
    await two().idle();
    const secondPause = coordinators.pauseRounds();
    firstPause.resume();
    await coordinators.roundWith(forwarded);
    submitted.push(one().submit(forwarded));
    secondPause.resume();
    const [, ...answers] = await allReplies([first, ...submitted]);
    expect(answers[0]).toEqual(answers[1]);
  });

  it('reports a failed round to exactly the claims of that round, and serves the others', async () => {
    const { resume } = coordinators.pauseRounds();
    const ahead = coordinators.newClaim('c1');
    const before = one().submit(ahead);
    await coordinators.roundWith(ahead);
    const failing = [one(), two(), three()].map((coordinator) => coordinator.submit(coordinators.newClaim('c1')));
    const results = Promise.allSettled(failing);
    await Promise.all([two().idle(), three().idle()]);
    coordinators.during = ({ operationIds }) =>
      operationIds.length === 3 ? Promise.reject(new Error('the database is away')) : Promise.resolve();
    resume();
    expect((await results).map((each) => each.status === 'rejected' && (each.reason as Error).message)).toEqual(
      [2, 3, 4].map((n) => `claim claim_${n} was not served: the database is away`),
    );
    coordinators.during = () => Promise.resolve();
    await allReplies([before, ...all().map((coordinator) => coordinator.submit(coordinators.newClaim('c1')))]);
  });

  describe.each(['the same', 'another'] as const)('after a first claim, a second claim at %s coordinator', (which) => {
    it.each(['before', 'after'] as const)(
      'is served without delay %s any command of the first coordinator to Redis',
      async (when) => {
        for (let at = 1; ; at += 1) {
          const campaignId = `c${at}`;
          const submitted: Promise<ServedClaim>[] = [];
          let commandCount = 0;
          const submitSecond = async (): Promise<void> => {
            submitted.push((which === 'the same' ? one() : two()).submit(coordinators.newClaim(campaignId)));
            if (which === 'another') await two().idle();
          };
          one().intercept = async (_command, call) => {
            commandCount += 1;
            const isNow = commandCount === at;
            if (isNow && when === 'before') await submitSecond();
            const reply = await call();
            if (isNow && when === 'after') await submitSecond();
            return reply;
          };
          submitted.push(one().submit(coordinators.newClaim(campaignId)));
          await one().idle();
          await allReplies(submitted);
          await one().idle();
          if (commandCount < at) break;
          expect(coordinators.overlaps).toBe(0);
        }
      },
    );
  });

  describe('asked to serve the waiting claims', () => {
    it('serves them in one round for all requests, and not in a round that was already running', async () => {
      const { resume } = coordinators.pauseRounds();
      const claim = coordinators.newClaim('c1');
      const first = one().submit(claim);
      await coordinators.roundWith(claim);
      const requests = Array.from({ length: 30 }, (_, at) => (all()[at % 3] as Coordinator).serveWaiting('c1'));
      await Promise.all([two().idle(), three().idle()]);
      expect(coordinators.rounds).toHaveLength(1);
      resume();
      await allReplies<unknown>([first, ...requests]);
      expect(coordinators.rounds).toHaveLength(2);
    });

    it('reports a failed round, and serves the next request', async () => {
      coordinators.during = () => Promise.reject(new Error('the database is away'));
      await expect(one().serveWaiting('c1')).rejects.toThrow('the database is away');
      coordinators.during = () => Promise.resolve();
      await allReplies([one().serveWaiting('c1')]);
    });

    it('serves them at another coordinator when the one with the lease dies', async () => {
      const { resume } = coordinators.pauseRounds();
      const claim = coordinators.newClaim('c1');
      const first = one().submit(claim);
      await coordinators.roundWith(claim);
      const request = two().serveWaiting('c1');
      await two().idle();
      coordinators.pauseRounds((coordinator) => coordinator === one());
      resume();
      await allReplies([first]);
      await until('a second round', () => coordinators.rounds.length === 2);
      one().die();
      await coordinators.expireLeases();
      vi.advanceTimersByTime(REPEATED_AFTER_MS);
      await allReplies([request]);
      expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), one(), two()]);
    });
  });
});
