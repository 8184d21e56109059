import { setImmediate as nextMacrotask, setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  allReplies,
  REPEATED_AFTER_MS,
  threeCoordinators,
  type Coordinator,
  type Coordinators,
} from '../support/coordinators.ts';
import { testConfig } from '../support/harness.ts';
import { itWith, PLAIN_REDIS } from '../support/needs.ts';
import { Random } from '../support/random.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const SEED = Number(process.env['BATON_COORDINATOR_SEED'] ?? 1);

describe(`a claim coordinator when something fails (seed ${SEED})`, () => {
  const { current, one, two, three } = threeCoordinators();
  let coordinators: Coordinators;
  beforeEach(() => (coordinators = current()));

  it('continues when it cannot publish replies, and publishes them when the claims are forwarded again', async () => {
    const { resume } = coordinators.pauseRounds();
    const first = coordinators.newClaim('c1');
    const [forwarded, local] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
    const submitted = [one().submit(first)];
    await coordinators.roundWith(first);
    const withoutReply = two().submit(forwarded);
    submitted.push(one().submit(local));
    await two().idle();
    one().intercept = (command, call) => (command === 'publish' ? Promise.reject(new Error('cannot publish')) : call());
    resume();
    await allReplies(submitted);
    await one().idle();
    expect(one().errors).toEqual(['cannot publish']);
    one().intercept = (_command, call) => call();
    vi.advanceTimersByTime(REPEATED_AFTER_MS);
    await allReplies([withoutReply]);
    expect((await withoutReply).granted).toEqual(coordinators.granted(forwarded.request.operationId));
  });

  it('forwards its remaining claims to the new coordinator with the lease when its own lease expires', async () => {
    coordinators.servedMax = 1;
    const [local, others] = [coordinators.newClaims('c1', 6), coordinators.newClaims('c1', 6)];
    const firstPause = coordinators.pauseRounds((coordinator) => coordinator === one());
    const submitted = local.map((claim) => one().submit(claim));
    await until('a round at the first coordinator', () => coordinators.rounds.length === 1);
    await coordinators.expireLeases();
    const secondPause = coordinators.pauseRounds((coordinator) => coordinator === two());
    submitted.push(...others.map((claim) => two().submit(claim)));
    await until('a round at the second coordinator', () => coordinators.rounds.length === 2);
    await coordinators.keepLeases();
    firstPause.resume();
    await allReplies(submitted.slice(0, 1));
    await one().idle();
    secondPause.resume();
    await allReplies(submitted);
    expect(coordinators.rounds.filter(({ coordinator }) => coordinator === one())).toHaveLength(1);
  });

  it('leaves the claims forwarded to it to the next coordinator when a round takes longer than its lease', async () => {
    const firstPause = coordinators.pauseRounds((coordinator) => coordinator === one());
    const claim = coordinators.newClaim('c1');
    const submitted = [one().submit(claim)];
    await coordinators.roundWith(claim);
    await coordinators.expireLeases();
    const secondPause = coordinators.pauseRounds((coordinator) => coordinator === two());
    const next = coordinators.newClaim('c1');
    submitted.push(two().submit(next));
    await coordinators.roundWith(next);
    const last = coordinators.newClaim('c1');
    submitted.push(three().submit(last));
    await three().idle();
    firstPause.resume();
    await allReplies(submitted.slice(0, 1));
    await one().idle();
    expect(coordinators.roundCount(last.request.operationId)).toBe(0);
    secondPause.resume();
    await allReplies(submitted);
    expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), two(), two()]);
  });

  describe('when it dies', () => {
    const ignoreFailure = (reply: Promise<unknown>): void => void reply.catch(() => undefined);

    async function servedByAnother(submitted: readonly Promise<unknown>[]): Promise<void> {
      await coordinators.expireLeases();
      vi.advanceTimersByTime(REPEATED_AFTER_MS);
      await allReplies(submitted);
    }

    it('leaves the claims that it has not taken from the forwarded list to another coordinator', async () => {
      coordinators.pauseRounds((coordinator) => coordinator === one());
      const claim = coordinators.newClaim('c1');
      ignoreFailure(one().submit(claim));
      await coordinators.roundWith(claim);
      const submitted = [two(), three()].map((coordinator) => coordinator.submit(coordinators.newClaim('c1')));
      await Promise.all([two().idle(), three().idle()]);
      one().die();
      await servedByAnother(submitted);
      expect(coordinators.rounds.slice(1).every(({ coordinator }) => coordinator !== one())).toBe(true);
    });

    it('leaves the forwarded claims of its running round to another coordinator', async () => {
      const { resume } = coordinators.pauseRounds();
      const [claim, forwarded] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
      const first = one().submit(claim);
      await coordinators.roundWith(claim);
      const submitted = two().submit(forwarded);
      await two().idle();
      coordinators.pauseRounds((coordinator) => coordinator === one());
      resume();
      await coordinators.roundWith(forwarded);
      await allReplies([first]);
      one().die();
      await servedByAnother([submitted]);
      expect(coordinators.rounds.map(({ coordinator }) => coordinator)).toEqual([one(), one(), two()]);
    });

    it('lets another coordinator return the stored answer when it dies between the write and the reply', async () => {
      const { resume } = coordinators.pauseRounds();
      const [claim, forwarded] = [coordinators.newClaim('c1'), coordinators.newClaim('c1')];
      ignoreFailure(one().submit(claim));
      await coordinators.roundWith(claim);
      const submitted = two().submit(forwarded);
      await two().idle();
      one().intercept = (command, call) => (command === 'publish' ? new Promise(() => undefined) : call());
      resume();
      const { operationId } = forwarded.request;
      const granted = await until('the claim to be stored', () => coordinators.granted(operationId));
      one().die();
      await servedByAnother([submitted]);
      expect((await submitted).granted).toEqual(granted);
    });
  });

  itWith(PLAIN_REDIS)('loses no claim when Redis is unreachable several times', async () => {
    coordinators.servedMax = 3;
    const random = new Random(SEED);
    const proxy = await TcpProxy.before(testConfig().queue.redisUrl);
    const behindProxy = [await coordinators.open(proxy.url), await coordinators.open(proxy.url)];
    coordinators.during = () => (random.chance(0.5) ? nextMacrotask() : sleep(random.between(0, 3)));
    let replyCount = 0;
    const submitTen = async (coordinator: Coordinator): Promise<void> => {
      for (let count = 0; count < 10; count += 1) {
        const claim = coordinators.newClaim('c1');
        const served = await coordinator.submit(claim);
        expect(served.granted).toEqual(coordinators.granted(claim.request.operationId));
        replyCount += 1;
      }
    };
    const working = [one(), two(), three(), ...behindProxy].flatMap((coordinator) =>
      Array.from({ length: 20 }, () => submitTen(coordinator)),
    );
    for (const share of [0.2, 0.4, 0.6]) {
      await repliesReach(() => replyCount, share * 1_000);
      proxy.away();
      await nextMacrotask();
      proxy.back();
    }
    await repliesReach(() => replyCount, 1_000);
    await Promise.all(working);
    await proxy.close();
  });

  /** Advances the timers meanwhile, and expires the leases whose coordinator no longer renews them. */
  async function repliesReach(count: () => number, enough: number): Promise<void> {
    let checks = 0;
    await until(`${enough} replies`, async () => {
      checks += 1;
      if (checks % 20 === 0) vi.advanceTimersByTime(REPEATED_AFTER_MS);
      if (checks % 40 === 0) await coordinators.expireLeases();
      return count() >= enough;
    });
  }
});
