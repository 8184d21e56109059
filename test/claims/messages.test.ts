import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimCommand } from '../../src/operations/ports.ts';
import { Desks, type Desk } from '../support/coordinators.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const NONSENSE = ['', '{', 'null', '{}', '[null]', '[{"id":1}]', '[{"id":"claim_1","served":{}}]', '"text"'];

describe('what another hand writes where claims travel', () => {
  let desks: Desks;
  let [one, two]: Desk[] = [];
  let letGo: () => void;
  /** A claim in a round that goes on until it is let go. */
  let asked: Promise<unknown>[];

  beforeEach(async () => {
    desks = new Desks(testConfig().queue.redisUrl);
    [one, two] = [await desks.open(), await desks.open()];
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    desks.during = () => gate;
    asked = [one.submit(desks.newClaim('c1'))];
    await until('the round', () => desks.rounds.length === 1);
    await desks.turnsLast();
  });
  afterEach(() => desks.close());

  it('is told, and ends nothing: in a desk’s channel', async () => {
    for (const text of NONSENSE) await desks.publish(text);
    await until('all of it to be told', () => one?.troubles.length === NONSENSE.length);
    letGo();
    await Promise.all([...asked, two?.submit(desks.newClaim('c1'))]);
  });

  it('is told, and ends nothing: among what is handed over', async () => {
    const handed = (id: string, { request, ...rest }: ClaimCommand): string =>
      JSON.stringify({ deskId: 'd', brought: { id, command: { ...rest, request } } });
    const [own, foreign] = [desks.newClaim('c1'), desks.newClaim('c2')];
    const amiss = [
      '{"deskId":"d","brought":{"id":"x","command":{}}}',
      handed('another', own),
      handed(foreign.request.operationId, foreign),
    ];
    await desks.handOver('c1', [...NONSENSE, ...amiss]);
    if (two) asked.push(two.submit(desks.newClaim('c1')));
    await two?.settled();
    letGo();
    await Promise.all(asked);
    expect(one?.troubles).toHaveLength(NONSENSE.length + amiss.length);
  });
});
