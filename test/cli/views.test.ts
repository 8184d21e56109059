import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATUSES, VISIBLE_STATUSES, type Status } from '../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, type Seeded } from '../support/harness.ts';

const TEXTERS = 5;
const CONVERSATIONS = 3_000;

interface Page {
  readonly conversations: { readonly conversationId: string; readonly status: Status }[];
  readonly next: string | null;
  readonly hidden: number;
}

describe('the views of the command line', () => {
  let harness: Harness;
  let cli: Cli;
  let campaignId: string;
  let raw: ConversationDoc[];
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'baton-views-'));
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
    campaignId = await harness.seedCampaign(TEXTERS);
    const other = await harness.seedCampaign(1);
    await harness.pause(campaignId, 't2');
    const any = (index: number): Seeded => ({
      assigneeId: [null, 't1', 't2', 't3', 'gone'][Math.trunc(index * 7.3) % 5] ?? null,
      status: STATUSES[Math.trunc(index * 3.7) % STATUSES.length] ?? 'closed',
      // Many conversations have the same time, so that pages must order them by their ids.
      waitedMs: Math.trunc(index / 7) * 1_000,
      optedOut: index % 11 === 0,
    });
    await harness.seedConversations(
      campaignId,
      Array.from({ length: CONVERSATIONS }, (_, index) => any(index)),
    );
    await harness.seedConversations(other, [{ assigneeId: 't1' }, {}]);
    raw = await harness.context.database.conversations.find({ campaignId }).toArray();
  });
  afterAll(async () => {
    await harness.close();
    await rm(folder, { recursive: true });
  });

  const count = (assigneeId: string | null, status?: Status): number =>
    raw.filter((doc) => doc.assigneeId === assigneeId && (!status || doc.status === status)).length;

  const countOptedOut = (assigneeId: string | null, status?: Status): number =>
    raw.filter((doc) => doc.optedOut && doc.assigneeId === assigneeId && (!status || doc.status === status)).length;

  const inOrder = (docs: ConversationDoc[]): string[] =>
    docs
      .toSorted(
        (a, b) =>
          STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status) ||
          a.waitingSince.getTime() - b.waitingSince.getTime() ||
          (a._id.toHexString() < b._id.toHexString() ? -1 : 1),
      )
      .map((doc) => doc._id.toHexString());

  const readAll = async (args: readonly string[], limit: number): Promise<string[]> => {
    const ids: string[] = [];
    let after: readonly string[] = [];
    for (;;) {
      const page = await cli.json<Page>(['conversations', campaignId, ...args, '--limit', String(limit), ...after]);
      ids.push(...page.conversations.map(({ conversationId }) => conversationId));
      if (page.next === null) return ids;
      expect(page.conversations).toHaveLength(limit);
      after = ['--after', page.next];
    }
  };

  it('counts the conversations of each assignee, opted-out ones apart, also of those who are not on the campaign', async () => {
    const view = await cli.json<{ senders: { texterId: string }[]; pool: unknown }>(['senders', campaignId]);
    const countsOf = (assigneeId: string | null) => ({
      counts: Object.fromEntries(
        STATUSES.map((status) => [status, count(assigneeId, status) - countOptedOut(assigneeId, status)]),
      ),
      optedOut: countOptedOut(assigneeId),
      incomplete: 0,
      total: count(assigneeId),
    });
    expect(view.pool).toEqual(countsOf(null));
    const texter = (texterId: string, name: string | null, active: boolean) => ({
      texterId,
      name,
      active,
      ...countsOf(texterId),
    });
    expect(view.senders).toEqual([
      texter('t1', 'Texter 1', true),
      texter('t2', 'Texter 2', false),
      texter('t3', 'Texter 3', true),
      texter('t4', 'Texter 4', true),
      texter('t5', 'Texter 5', true),
      texter('gone', null, false),
    ]);
    const { out } = await cli.run(['senders', campaignId]);
    expect(out).toMatch(/Texter 2 \(paused\)/);
    expect(out).toMatch(/gone \(not on the campaign\)/);
  });

  it('lists the visible conversations page by page in the order of selection', async () => {
    const shown = raw.filter((doc) => VISIBLE_STATUSES.includes(doc.status));
    expect(await readAll([], 411)).toEqual(inOrder(shown));
    expect(await readAll(['--of', 'gone'], 111)).toEqual(inOrder(shown.filter((doc) => doc.assigneeId === 'gone')));
    expect(await readAll(['--of', 'pool'], 97)).toEqual(inOrder(shown.filter((doc) => doc.assigneeId === null)));
    const closed = shown.filter((doc) => doc.status === 'closed' && ['t1', 't3'].includes(doc.assigneeId ?? ''));
    expect(await readAll(['--of', 't3,Texter 1,t1', '--status', 'closed'], 50)).toEqual(inOrder(closed));
    expect(await readAll(['--of', 't4'], 10)).toEqual([]);
  });

  it('leaves out awaiting-contact conversations and says how many there are', async () => {
    const page = await cli.json<Page>(['conversations', campaignId, '--of', 't1', '--limit', '1000']);
    expect(page.hidden).toBe(count('t1', 'awaiting-contact'));
    expect(page.conversations.map(({ status }) => status)).not.toContain('awaiting-contact');
    const { out } = await cli.run(['conversations', campaignId, '--of', 't1']);
    expect(out).toContain(`Not listed: ${page.hidden} whose contact has never replied`);
  });

  it('exports every conversation of the campaign and no others', async () => {
    const file = join(folder, 'all.csv');
    expect(await cli.json(['export', campaignId, '--out', file])).toEqual({
      campaignId,
      file,
      exported: CONVERSATIONS,
    });
    expect(await readdir(folder)).toEqual(['all.csv']);
    const csv = await readFile(file, 'utf8');
    expect((await cli.run(['export', campaignId])).out).toBe(csv);
    const rows = parse<Record<string, string>>(csv, { columns: true });
    const iso = (date: Date | null): string => date?.toISOString() ?? '';
    const expected = raw.map((doc) => ({
      conversation_id: doc._id.toHexString(),
      external_id: doc.externalId ?? '',
      name: doc.contact.name,
      phone: doc.contact.phone,
      status: doc.status,
      assignee_id: doc.assigneeId ?? '',
      assignee: doc.assigneeId?.startsWith('t') ? `Texter ${doc.assigneeId.slice(1)}` : '',
      opted_out: String(doc.optedOut),
      waiting_since: iso(doc.waitingSince),
      last_inbound_at: iso(doc.lastInboundAt),
      last_outbound_at: iso(doc.lastOutboundAt),
      assigned_at: iso(doc.assignedAt),
      created_at: iso(doc.createdAt),
    }));
    const byId = (a: { conversation_id?: string }, b: { conversation_id?: string }) =>
      (a.conversation_id ?? '') < (b.conversation_id ?? '') ? -1 : 1;
    expect(rows.sort(byId)).toEqual(expected.sort(byId));
  });

  it('escapes formulas in an export, but never a phone number', async () => {
    const id = await harness.seedCampaign(1);
    const contacts =
      'name,phone,external_id\n"=cmd|\' /C calc\'!A0",+12025550101,@x\n-1+2,+12025550102,plain\nAnn,+12025550103,';
    await cli.json(['import', id, '-'], contacts);
    const cells = async (...more: string[]) => {
      const rows = parse<Record<string, string>>((await cli.run(['export', id, ...more])).out, { columns: true });
      return rows.map((row) => [row['name'], row['phone'], row['external_id']]).sort();
    };
    expect(await cells()).toEqual([
      ["'-1+2", '+12025550102', 'plain'],
      ["'=cmd|' /C calc'!A0", '+12025550101', "'@x"],
      ['Ann', '+12025550103', ''],
    ]);
    expect(await cells('--raw')).toContainEqual(["=cmd|' /C calc'!A0", '+12025550101', '@x']);
  });

  it('previews a move and changes nothing', async () => {
    const preview = await cli.json<{ moved: number; skipped: unknown; assignees: { after: number }[] }>([
      ...['reassign', campaignId, '--from', 'pool', '--to', 't1,t3', '--status', 'needs-reply', '--preview'],
    ]);
    const pool = raw.filter((doc) => doc.assigneeId === null && doc.status === 'needs-reply');
    const optedOut = pool.filter((doc) => doc.optedOut).length;
    expect(preview).toMatchObject({
      moved: pool.length - optedOut,
      skipped: [{ reason: 'opted-out', count: optedOut }],
    });
    expect(preview.assignees.reduce((sum, { after }) => sum + after, 0)).toBe(count(null) + count('t1') + count('t3'));
    expect(await harness.context.database.conversations.find({ campaignId }).toArray()).toEqual(raw);
  });
});
