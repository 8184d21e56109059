import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimCommand } from '../../src/claims/ports.ts';
import { Coordinators, type Coordinator } from '../support/coordinators.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const NONSENSE = ['', '{', 'null', '{}', '[null]', '[{"id":1}]', '[{"id":"claim_1","served":{}}]', '"text"'];

describe('what another hand writes where claims travel', () => {
  let coordinators: Coordinators;
  let [one, two]: Coordinator[] = [];
  let letGo: () => void;
  /** A claim in a round that goes on until it is let go. */
  let asked: Promise<unknown>[];

  beforeEach(async () => {
    coordinators = new Coordinators(testConfig().queue.redisUrl);
    [one, two] = [await coordinators.open(), await coordinators.open()];
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    coordinators.during = () => gate;
    asked = [one.submit(coordinators.newClaim('c1'))];
    await until('the round', () => coordinators.rounds.length === 1);
    await coordinators.turnsLast();
  });
  afterEach(() => coordinators.close());

  it('is told, and ends nothing: in a coordinator’s channel', async () => {
    for (const text of NONSENSE) await coordinators.publish(text);
    await until('all of it to be told', () => one?.troubles.length === NONSENSE.length);
    letGo();
    await Promise.all([...asked, two?.submit(coordinators.newClaim('c1'))]);
  });

  it('is told, and ends nothing: among what is forwarded over', async () => {
    const forwarded = (id: string, { request, ...rest }: ClaimCommand): string =>
      JSON.stringify({ coordinatorId: 'd', brought: { id, command: { ...rest, request } } });
    const [own, foreign] = [coordinators.newClaim('c1'), coordinators.newClaim('c2')];
    const amiss = [
      '{"coordinatorId":"d","brought":{"id":"x","command":{}}}',
      forwarded('another', own),
      forwarded(foreign.request.operationId, foreign),
    ];
    await coordinators.handOver('c1', [...NONSENSE, ...amiss]);
    if (two) asked.push(two.submit(coordinators.newClaim('c1')));
    await two?.settled();
    letGo();
    await Promise.all(asked);
    expect(one?.troubles).toHaveLength(NONSENSE.length + amiss.length);
  });
});
