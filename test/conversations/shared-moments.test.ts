import type { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Context } from '../../src/context.ts';
import { SharedMoments, viewSenders, type Moment } from '../../src/conversations/index.ts';
import { STATUSES, type Status } from '../../src/domain/conversation.ts';
import { parseRequest, preview, type Preview } from '../../src/operations/index.ts';
import { Harness } from '../support/harness.ts';
import { SentCommands } from '../support/sent-commands.ts';
import { until } from '../support/until.ts';

const TEXTERS = 3;
const CONVERSATIONS = 60;
/** Longer than the test. */
const LONG_MS = 600_000;
const SHORT_MS = 20;

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

async function campaign(): Promise<string> {
  const campaignId = await harness.seedCampaign(TEXTERS);
  const assignees = [null, 't1', 't2', 't3'];
  const seeded = Array.from({ length: CONVERSATIONS }, (_, at) => ({ assigneeId: assignees[at % 4] ?? null }));
  await harness.seedConversations(campaignId, seeded);
  return campaignId;
}

const previewOf = (campaignId: string, more: object = {}) => {
  const everyone = { from: 'everyone', to: 'everyone', status: 'any' } as const;
  return parseRequest({ kind: 'reassign', operationId: 'op_preview', campaignId, ...everyone, ...more });
};

const previewAt = ({ stores }: Context, moment: Moment, campaignId: string, more: object = {}): Promise<Preview> =>
  preview({ ...stores, conversations: moment }, previewOf(campaignId, more));

const sendersAt = ({ stores, views }: Context, moment: Moment, campaignId: string) =>
  viewSenders({ stores: { ...stores, conversations: moment }, views }, campaignId);

const isCount = ({ aggregate, hint }: mongo.Document): boolean =>
  aggregate === 'conversations' && hint === 'assignee_in_order';

describe('reads that share a moment', () => {
  it('share one count of the campaign, say for which time it holds, and see no later change', async () => {
    const campaignId = await campaign();
    const answers: Preview[] = [];
    const sent = await commands.during(async (context) => {
      const moments = new SharedMoments(context.stores.conversations, LONG_MS);
      const ask = (more: object): Promise<Preview> =>
        moments.read(campaignId, (moment) => previewAt(context, moment, campaignId, more));
      const asked = [{}, { status: 'closed' }, { from: 'pool' }, { spread: 'level' }];
      answers.push(...(await Promise.all(asked.map(ask))));
      await context.database.conversations.updateMany({ campaignId }, { $set: { assigneeId: 't1' } });
      answers.push(await ask({}));
      const senders = await moments.read(campaignId, (moment) => sendersAt(context, moment, campaignId));
      expect(senders).toMatchObject({ countedAt: answers[0]?.countedAt, pool: { total: CONVERSATIONS / 4 } });
    });
    expect(sent.filter(isCount)).toHaveLength(1);
    expect(new Set(answers.map(({ countedAt }) => countedAt)).size).toBe(1);
    expect(answers.at(-1)).toEqual(answers[0]);
    expect(Date.parse(answers[0]?.countedAt ?? '')).not.toBeNaN();
  });

  it('end with their time: the next read counts anew, at a later moment', async () => {
    const campaignId = await campaign();
    const moments = new SharedMoments(harness.context.stores.conversations, SHORT_MS);
    const ask = () => moments.read(campaignId, async (moment) => sendersAt(harness.context, moment, campaignId));
    const first = await ask();
    await harness.context.database.conversations.updateMany({ campaignId }, { $set: { assigneeId: 't1' } });
    await until('a later count', async () => (await ask()).pool.total === 0);
    expect((await ask()).countedAt > first.countedAt).toBe(true);
  });

  it('never disagree while other programs write statuses and assignees', async () => {
    const campaignId = await campaign();
    const { context } = harness;
    const { conversations } = context.database;
    let isOver = false;
    const write = async (): Promise<void> => {
      for (let round = 0; !isOver; round += 1) {
        const [from, to] = [STATUSES[round % 5], STATUSES[(round + 1) % 5]] as [Status, Status];
        await conversations.updateMany({ campaignId, status: from }, { $set: { status: to } });
        await conversations.updateMany({ campaignId, assigneeId: `t${round % 4}` }, { $set: { assigneeId: null } });
        await conversations.updateOne(
          { campaignId, assigneeId: null },
          { $set: { assigneeId: `t${(round % 3) + 1}` } },
        );
      }
    };
    const writing = write();
    try {
      for (let time = 0; time < 15; time += 1) {
        await context.stores.conversations.atOneMoment(async (moment) => {
          const shown = await previewAt(context, moment, campaignId);
          const { senders, pool } = await sendersAt(context, moment, campaignId);
          const totals = new Map([[null, pool.total], ...senders.map((each) => [each.texterId, each.total] as const)]);
          expect([...totals.values()].reduce((sum, total) => sum + total)).toBe(CONVERSATIONS);
          for (const { assigneeId, before } of shown.assignees) expect(before).toBe(totals.get(assigneeId));
          const after = shown.assignees.map((each) => each.after);
          expect(Math.max(...after.slice(1)) - Math.min(...after.slice(1))).toBeLessThanOrEqual(1);
          expect(shown.moved).toBe(shown.selected);
        });
      }
    } finally {
      isOver = true;
      await writing;
    }
  });

  it('are the previews that a worker answers within the time of its setting', async () => {
    const campaignId = await campaign();
    await harness.startWorker({ countsSharedForMs: LONG_MS });
    const ask = (status: Status | 'any') =>
      harness.producer.preview({
        kind: 'reassign',
        operationId: 'op_x',
        campaignId,
        from: 'pool',
        to: 'everyone',
        status,
      });
    const [first, second] = [await ask('any'), await ask('not-started')];
    expect(second.countedAt).toBe(first.countedAt);
    expect([first.moved, second.moved]).toEqual([CONVERSATIONS / 4, CONVERSATIONS / 4]);
  });
});
