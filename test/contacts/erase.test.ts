import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Types } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoContactStore } from '../../src/contacts/contact-store.ts';
import type { NewConversation } from '../../src/contacts/contact.ts';
import type { Database } from '../../src/mongo/database.ts';
import { ERASED_NAME, fingerprintOf } from '../../src/domain/erased.ts';
import { CONTROLS_QUEUE, OPERATIONS_QUEUE } from '../../src/queue/job.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { conversationDoc } from '../support/documents.ts';
import { Harness } from '../support/harness.ts';
import { resultOrCode } from '../support/any-request.ts';

const NAME = 'Zora Quillfeather';
const PHONE = '+12025550147';
const TRACES = /quillfeather|5550147|555-0147|ext-zora/i;

let harness: Harness;
let cli: Cli;
let redis: Redis;

beforeAll(async () => {
  harness = await Harness.open();
  await harness.startWorker();
  cli = new Cli(cliEnv(harness.config));
  redis = new Redis(harness.config.queue.redisUrl, { maxRetriesPerRequest: null });
});
afterAll(async () => {
  redis.disconnect();
  await harness.close();
});

interface Seeded {
  readonly campaignId: string;
  readonly conversationId: string;
}

/** A campaign with Zora, whose conversation t1 has, and five other contacts in the pool. */
async function seed(): Promise<Seeded> {
  const campaignId = await harness.seedCampaign(2, { country: 'US' });
  const zora = {
    ...conversationDoc(900, { campaignId, assigneeId: 't1', status: 'needs-reply' }),
    contact: { name: NAME, phone: PHONE },
    externalId: 'ext-zora',
  };
  await harness.seeder.conversations([
    zora,
    ...[1, 2, 3, 4, 5].map((number) => conversationDoc(number, { campaignId })),
  ]);
  return { campaignId, conversationId: zora._id.toHexString() };
}

async function everythingStored(): Promise<string> {
  const { conversations, operations, batches } = harness.context.database;
  const keys = await redis.keys(`${harness.config.queue.prefix}*`);
  const values = keys.map(async (key) => {
    const type = await redis.type(key);
    if (type === 'hash') return redis.hgetall(key);
    return type === 'stream' ? redis.xrange(key, '-', '+') : null;
  });
  const docs = [conversations, operations, batches].map((collection) => collection.find().toArray());
  return JSON.stringify([await Promise.all(values), await Promise.all(docs)]);
}

/** Leaves traces of the person where other versions and other people have left them. */
async function leaveTraces({ campaignId, conversationId }: Seeded): Promise<void> {
  const operationId = harness.newId('op');
  const to = { texterIds: ['t2'] } as const;
  const reason = `${NAME} (202) 555-0147 asked for another texter`;
  await (await harness.producer.reassignOne({ operationId, campaignId, conversationId, to, reason })).result();
  const message = `MongoServerError: no contact ${PHONE}`;
  const failures = { failures: [{ at: new Date(), message }] };
  await harness.context.database.operations.updateOne({ _id: operationId }, { $set: failures });
  const { prefix } = harness.config.queue;
  const controls = new Queue(CONTROLS_QUEUE, { connection: redis, prefix });
  const waiting = { version: 1, request: { campaignId, phone: PHONE } };
  await controls.add('opt-out', waiting, { jobId: harness.newId('late'), delay: 3_600_000 });
  const operations = new Queue(OPERATIONS_QUEUE, { connection: redis, prefix });
  await redis.hset(
    operations.toKey(`op-${operationId}`),
    'failedReason',
    message,
    'stacktrace',
    JSON.stringify([message]),
  );
  await redis.xadd(operations.toKey('events'), '*', 'event', 'failed', 'jobId', 'op-x', 'failedReason', message);
  await Promise.all([controls.close(), operations.close()]);
}

function newConversation(phone: string): NewConversation {
  const moments = { createdAt: new Date(), waitingSince: new Date(), lastInboundAt: null, lastOutboundAt: null };
  return {
    externalId: null,
    name: 'Contact',
    phone,
    assigneeId: null,
    status: 'not-started',
    optedOut: false,
    ...moments,
  };
}

const FACES = ['command line', 'producer'] as const;
const WAYS = ['phone', 'conversation'] as const;

describe('erasing a person', () => {
  it.each(FACES.flatMap((face) => WAYS.map((way) => [face, way] as const)))(
    'with the %s by %s removes name, number and external id from everything that is stored',
    async (face, way) => {
      const seeded = await seed();
      const { campaignId, conversationId } = seeded;
      await leaveTraces(seeded);
      expect(await everythingStored()).toMatch(TRACES);
      const by = way === 'phone' ? { phone: PHONE } : { conversationId };
      const erase = async (): Promise<unknown> => {
        if (face === 'producer') return harness.producer.erase({ campaignId, ...by });
        const option = way === 'phone' ? ['--phone', '202 555 0147'] : ['--conversation', conversationId];
        return cli.json(['erase', campaignId, ...option, '--yes']);
      };
      const before = await harness.loads(campaignId);
      expect(await erase()).toMatchObject({ campaignId, conversationIds: [conversationId], changed: 1 });
      expect(await everythingStored()).not.toMatch(TRACES);
      expect(await harness.loads(campaignId)).toEqual(before);
      expect(await erase()).toMatchObject({ conversationIds: [conversationId], changed: 0 });
      expect(await everythingStored()).not.toMatch(TRACES);
    },
  );

  it('keeps the conversation with its moves, closed and opted out, and no texter gets it any more', async () => {
    const seeded = await seed();
    const { campaignId, conversationId } = seeded;
    await leaveTraces(seeded);
    await harness.producer.erase({ campaignId, conversationId });
    const doc = await harness.context.database.conversations.findOne({ _id: new Types.ObjectId(conversationId) });
    expect(doc).toMatchObject({ assigneeId: 't2', status: 'closed', optedOut: true, assignmentVersion: 1 });
    expect(doc?.history).toHaveLength(1);
    expect(doc?.contact.name).toBe(ERASED_NAME);
    const everyone = { campaignId, from: { texterIds: ['t2'] }, to: { texterIds: ['t1'] }, status: 'any' } as const;
    const sent = await harness.producer.reassign({ operationId: harness.newId('op'), ...everyone });
    expect((await sent.result()).receipt).toMatchObject({ moved: 0, skipped: [{ reason: 'opted-out', count: 1 }] });
    expect(await resultOrCode(harness.producer.liftOptOut({ campaignId, conversationId }))).toBe('contact-erased');
    expect(await harness.producer.optOut({ campaignId, conversationId })).toMatchObject({ optedOut: true, changed: 0 });
    const shown = await cli
      .json<object>(['conversations', campaignId, '--conversation', conversationId])
      .catch(() => ({}));
    expect(JSON.stringify(shown)).not.toContain('erased:');
  });

  it('is not reversed by an import of the number, and changes neither other contacts nor other campaigns', async () => {
    const { campaignId, conversationId } = await seed();
    const other = await seed();
    await harness.producer.erase({ campaignId, phone: PHONE });
    const file = `name,phone,assignee\n${NAME},(202) 555-0147,t1\nNew,+12025550148,\n`;
    const result = await cli.json<{ added: number; rejected: { reason: string }[] }>(['import', campaignId, '-'], file);
    expect(result).toMatchObject({
      added: 1,
      rejected: [{ line: 2, reason: expect.stringContaining('erased') as string }],
    });
    const { conversations } = harness.context.database;
    expect(await conversations.countDocuments({ campaignId, 'contact.phone': PHONE })).toBe(0);
    expect(await conversations.countDocuments({ campaignId })).toBe(7);
    const untouched = await conversations.findOne({ _id: new Types.ObjectId(other.conversationId) });
    expect(untouched).toMatchObject({ contact: { name: NAME, phone: PHONE }, optedOut: false, externalId: 'ext-zora' });
    expect(conversationId).not.toBe(other.conversationId);
    await harness.producer.erase(other);
  });

  it('holds against an import that has checked the number before', async () => {
    const { campaignId, conversationId } = await seed();
    const { conversations } = harness.context.database;
    await conversations.deleteOne({ _id: new Types.ObjectId(conversationId) });
    const late = { conversations: { value: insertingLate(campaignId) } };
    const store = new MongoContactStore(Object.create(harness.context.database, late) as Database);
    const options = { optOuts: [], at: new Date(), keepsAssignees: false, sharesIds: false };
    const rows = [newConversation(PHONE), newConversation('+12025550149')];
    expect(await store.importBatch(campaignId, { conversations: rows, ...options })).toMatchObject({ added: 1 });
    expect(await conversations.countDocuments({ campaignId, 'contact.phone': PHONE })).toBe(0);
  });

  /** The collection of conversations in which another process erases the number just before an insert. */
  function insertingLate(campaignId: string): object {
    const { conversations } = harness.context.database;
    return new Proxy(conversations, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key, target);
        if (key !== 'insertMany') return typeof member === 'function' ? (member as () => unknown).bind(target) : member;
        return async (docs: Parameters<typeof target.insertMany>[0], options: object) => {
          const phone = `erased:${fingerprintOf(campaignId, PHONE)}:${'f'.repeat(24)}`;
          const erased = { ...conversationDoc(77, { campaignId }), contact: { name: ERASED_NAME, phone } };
          await target.insertOne(erased);
          return target.insertMany(docs, options);
        };
      },
    });
  }

  it('is completed by the next attempt after a crash half-way', async () => {
    const seeded = await seed();
    await leaveTraces(seeded);
    const spy = vi
      .spyOn(MongoContactStore.prototype, 'erase')
      .mockRejectedValueOnce(new Error('the connection is lost'));
    const { campaignId } = seeded;
    expect(await harness.producer.erase({ campaignId, phone: PHONE })).toMatchObject({ changed: 1 });
    expect(spy).toHaveBeenCalledTimes(2);
    spy.mockRestore();
    expect(await everythingStored()).not.toMatch(TRACES);
  });

  it('needs --yes on the command line, and shows what it would erase without the number', async () => {
    const { campaignId, conversationId } = await seed();
    const ran = await cli.run(['erase', campaignId, '--phone', PHONE]);
    expect(ran.out).toContain(`Would erase one person (1 conversation). Nothing was changed; --yes erases.`);
    expect(ran.out).toContain(conversationId);
    expect(ran.out + ran.err).not.toMatch(TRACES);
    const { conversations } = harness.context.database;
    expect(await conversations.countDocuments({ campaignId, 'contact.phone': PHONE, optedOut: false })).toBe(1);
    await harness.producer.erase({ campaignId, phone: PHONE });
  });

  it('is refused for an unknown person or campaign, and no error contains the number', async () => {
    const campaignId = await harness.seedCampaign(1);
    const requests = [
      [{ campaignId, phone: PHONE }, 'unknown-conversation'],
      [{ campaignId, conversationId: 'f'.repeat(24) }, 'unknown-conversation'],
      [{ campaignId: 'nowhere', phone: PHONE }, 'unknown-campaign'],
      [{ campaignId }, 'bad-request'],
    ] as const;
    for (const [request, code] of requests) {
      const refused = harness.producer.erase(request);
      const error: unknown = await refused.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code });
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(TRACES);
    }
    expect(await everythingStored()).not.toMatch(/5550147/);
  });
});
