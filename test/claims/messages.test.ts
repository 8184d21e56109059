import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClaimCommand } from '../../src/claims/contract.ts';
import { Coordinators, type Coordinator } from '../support/coordinators.ts';
import { testConfig } from '../support/harness.ts';
import { until } from '../support/until.ts';

const UNREADABLE = ['', '{', 'null', '{}', '[null]', '[{"id":1}]', '[{"id":"claim_1","served":{}}]', '"text"'];

describe('a claim coordinator that finds an unreadable message', () => {
  let coordinators: Coordinators;
  let [one, two]: Coordinator[] = [];
  let resume: () => void;
  /** The reply to a claim whose round is paused. */
  let submitted: Promise<unknown>[];

  beforeEach(async () => {
    coordinators = new Coordinators(testConfig().queue.redisUrl);
    [one, two] = [await coordinators.open(), await coordinators.open()];
    ({ resume } = coordinators.pauseRounds());
    submitted = [one.submit(coordinators.newClaim('c1'))];
    await until('the round', () => coordinators.rounds.length === 1);
    await coordinators.keepLeases();
  });
  afterEach(() => coordinators.close());

  it('reports it and continues when it arrives on the channel of replies', async () => {
    for (const text of UNREADABLE) await coordinators.publishToAll(text);
    await until('all messages to be reported', () => one?.errors.length === UNREADABLE.length);
    resume();
    await Promise.all([...submitted, two?.submit(coordinators.newClaim('c1'))]);
  });

  it('reports it and continues when it is on the list of forwarded claims', async () => {
    const forwarded = (id: string, command: ClaimCommand): string =>
      JSON.stringify({ coordinatorId: 'd', id, command });
    const [local, foreign] = [coordinators.newClaim('c1'), coordinators.newClaim('c2')];
    const wrong = [
      '{"coordinatorId":"d","id":"x","command":{}}',
      forwarded('another', local),
      forwarded(foreign.request.operationId, foreign),
    ];
    await coordinators.addForwarded('c1', [...UNREADABLE, ...wrong]);
    if (two) submitted.push(two.submit(coordinators.newClaim('c1')));
    await two?.idle();
    resume();
    await Promise.all(submitted);
    expect(one?.errors).toHaveLength(UNREADABLE.length + wrong.length);
  });
});
