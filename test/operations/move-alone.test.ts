import mongoose from 'mongoose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { setActive, setClosed } from '../../src/campaigns/index.ts';
import { serveClaims } from '../../src/claims/index.ts';
import { requestHash } from '../../src/domain/requests.ts';
import { parseRequest, type OneRequest } from '../../src/operations/contract.ts';
import { moveOne, moveSeveral } from '../../src/operations/move-one.ts';
import { Harness } from '../support/harness.ts';
import { intercepted } from '../support/intercepted-stores.ts';
import { rawConversations } from '../support/raw.ts';
import { roundTripsOf } from '../support/round-trips.ts';
import { runToEnd } from '../support/run-operation.ts';
import { SentCommands } from '../support/sent-commands.ts';
import { until } from '../support/until.ts';

const clock = { now: () => new Date() };
const RULES = { selfAssign: { enabled: true, openMax: 300, repliesMax: 50 } };

let harness: Harness;
let commands: SentCommands;
beforeAll(async () => {
  harness = await Harness.open();
  commands = await SentCommands.open(harness);
});
afterAll(async () => {
  await commands.context.close();
  await harness.close();
});
afterEach(() => vi.restoreAllMocks());

const seed = async (seeded: Parameters<Harness['seedConversations']>[1]) => {
  const campaignId = await harness.seedCampaign(2, RULES);
  return { campaignId, ids: await harness.seedConversations(campaignId, seeded) };
};
const reassign = (campaignId: string, conversationId = '') => ({
  kind: 'reassign-one' as const,
  ...{ operationId: harness.newId('op'), campaignId, conversationId, to: { texterIds: ['t1'] as [string] } },
});
const commandOf = (request: ReturnType<typeof reassign>) => ({
  request: parseRequest(request) as OneRequest,
  ...{ requestHash: requestHash(request), sendId: request.operationId },
});

describe('round trips to the database, one after the other', () => {
  it('are five for a reassign of one conversation, and four for an unassign', async () => {
    const { campaignId, ids } = await seed(Array.from({ length: 3 }, () => ({ assigneeId: 't2' })));
    const move = (request: (conversationId?: string) => Parameters<typeof runToEnd>[1]) =>
      roundTripsOf(commands, ({ stores }, run) => runToEnd(stores, request(ids[run])));
    expect(await move((id) => reassign(campaignId, id))).toEqual([
      ['aggregate campaigns', 'find campaigns', 'find texters', 'findAndModify conversations'],
      ['find campaigns', 'insert operations'],
      ['insert batches'],
      ['update texters'],
      ['commitTransaction'],
    ]);
    const { to, ...one } = reassign(campaignId);
    const unassign = (conversationId = ''): Parameters<typeof runToEnd>[1] => {
      return { ...one, kind: 'unassign-one', operationId: harness.newId('op'), conversationId };
    };
    expect(await move(unassign)).toEqual([
      ['find campaigns', 'find texters', 'findAndModify conversations'],
      ['insert operations'],
      ['insert batches'],
      ['commitTransaction'],
    ]);
    const assignees = [...(await rawConversations(harness, campaignId)).values()].map(({ assigneeId }) => assigneeId);
    expect(assignees).toEqual([null, null, null]);
  });

  it('are six for several moves together, however many they are', async () => {
    const { campaignId, ids } = await seed(Array.from({ length: 36 }, () => ({})));
    const steps = await roundTripsOf(commands, ({ stores }, run) => {
      const some = ids.slice(12 * run, 12 * (run + 1));
      return moveSeveral(
        { stores, clock },
        some.map((id) => commandOf(reassign(campaignId, id))),
      );
    });
    expect(steps.map((step) => step.length)).toEqual([5, 1, 2, 1, 1, 1]);
  });

  it('are five for a claim, also on a campaign with a rule about replies that had a claim before', async () => {
    const { campaignId } = await seed([{}, {}, {}]);
    const steps = await roundTripsOf(commands, ({ stores }) => {
      const ids = { operationId: harness.newId('cl'), campaignId, texterId: 't1' };
      const request = { kind: 'self-assign', ...ids, count: 1 } as const;
      return serveClaims(stores.claims, campaignId, [{ request, requestHash: 'h', sendId: 's' }]);
    });
    expect(steps).toEqual([
      ['aggregate campaigns', 'find conversations'],
      ['update texters'],
      ['insert operations'],
      ['update conversations'],
      ['commitTransaction'],
    ]);
  });
});

describe('a single move, alone and with others, whose campaign or target changes after it was read', () => {
  const changes: Record<string, (campaignId: string) => Promise<unknown>> = {
    closed: (campaignId) => setClosed(harness.context, campaignId, true),
    paused: (campaignId) => setActive(harness.context, campaignId, 't1', false),
  };
  /** Lets `change` end between the reads and the first statement of the transaction. */
  const changeBeforeStatement = (statement: 'findOneAndUpdate' | 'bulkWrite', change: () => Promise<unknown>): void => {
    const prototype = mongoose.mongo.Collection.prototype;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the collection it is called on
    const original = prototype[statement] as (...args: unknown[]) => Promise<unknown>;
    let isFirst = true;
    vi.spyOn(prototype, statement).mockImplementation(async function (this: unknown, ...args: unknown[]) {
      if (isFirst) {
        isFirst = false;
        await change();
      }
      return original.apply(this, args);
    } as never);
  };

  it.each(['closed', 'paused'])('does not take place when it was %s before the transaction began', async (name) => {
    for (const isAlone of [true, false]) {
      const { campaignId, ids } = await seed([{}, {}]);
      const read = new Set<string>();
      const stores = intercepted(harness.context.stores, async (_number, called, call) => {
        const found = await call();
        read.add(called);
        return found;
      });
      changeBeforeStatement(isAlone ? 'findOneAndUpdate' : 'bulkWrite', async () => {
        await until('the reads', () => read.has('campaigns.find') && read.has('texters.findMany'));
        await changes[name]?.(campaignId);
      });
      const [one, other] = ids.map((id) => commandOf(reassign(campaignId, id)));
      if (!one || !other) throw new Error('two conversations were seeded');
      const moved = isAlone
        ? await moveOne({ stores, clock }, one)
        : await moveSeveral({ stores, clock }, [one, other]);
      expect(moved).toBeUndefined();
      const assignees = [...(await rawConversations(harness, campaignId)).values()].map(({ assigneeId }) => assigneeId);
      expect(assignees).toEqual([null, null]);
      vi.restoreAllMocks();
    }
  });
});
