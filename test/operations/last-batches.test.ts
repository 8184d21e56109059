import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UNAPPLIED_MAX } from '../../src/domain/in-flight.ts';
import { Harness } from '../support/harness.ts';
import { SentCommands } from '../support/sent-commands.ts';

let harness: Harness;
let sent: SentCommands;
beforeAll(async () => {
  harness = await Harness.open();
  sent = await SentCommands.open(harness);
});
afterAll(async () => {
  await sent.context.close();
  await harness.close();
});

async function insert(operationId: string, number: number): Promise<string> {
  const after = { position: null, loads: [0], planned: number };
  const batch = { operationId, campaignId: 'c1', number, moves: [], skips: [], after };
  await harness.context.stores.batches.insert(batch);
  return `${operationId}:${String(number).padStart(8, '0')}`;
}

describe('the last batches of an operation', () => {
  it('are the newest one and those that are not applied, and no other one is read whole', async () => {
    const ids: string[] = [];
    for (let number = 1; number <= 2 * UNAPPLIED_MAX; number += 1) ids.push(await insert('op_many', number));
    const planned = [ids.at(-5), ids.at(-3)];
    await harness.context.database.batches.updateMany(
      { operationId: 'op_many', _id: { $nin: planned as string[] } },
      { $set: { state: 'applied' } },
    );
    const commands = await sent.during(async ({ stores }) => {
      const last = await stores.batches.last('op_many');
      expect(last?.newest).toMatchObject({ number: ids.length, state: 'applied', after: { planned: ids.length } });
      expect(last?.unapplied.map(({ number }) => number)).toEqual([ids.length - 4, ids.length - 2]);
    });
    const [states, whole, ...others] = commands;
    expect(states).toMatchObject({ projection: { state: 1 } });
    expect(whole).toMatchObject({ filter: { _id: { $in: [ids.at(-1), ids.at(-3), ids.at(-5)] } } });
    expect(others).toEqual([]);
  });

  it('are none when the operation has no batch', async () => {
    expect(await harness.context.stores.batches.last('op_none')).toBeUndefined();
  });
});
