import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { withDatabase } from '../../dev/services/environment-services.ts';
import type { Config } from '../../src/config.ts';
import { createContext, type Context } from '../../src/context.ts';
import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import type { Assignee, Status } from '../../src/domain/conversation.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { DEFAULT_REDIS_TIMES } from '../../src/queue/connection-options.ts';
import { migrate } from '../../src/mongo/migrate.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { campaignDoc, conversationDoc, Seeder, texterDoc } from './documents.ts';
import type { Producer } from '../../src/producer/producer-port.ts';
import { createProducer } from '../../src/producer/producer.ts';
import { startService, type Service } from '../../workers/service.ts';

function required(name: 'MONGODB_URI' | 'REDIS_URL'): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with "npm test", which starts the services`);
  return value;
}

export interface Addresses {
  readonly mongodbUri: string;
  readonly redisUrl: string;
}

const shared = (): Addresses => ({ mongodbUri: required('MONGODB_URI'), redisUrl: required('REDIS_URL') });

/** A configuration with a database and queues of its own, so that test files do not disturb each other. */
export function testConfig(worker: Partial<Config['worker']> = {}, addresses = shared()): Config {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const uri = withDatabase(addresses.mongodbUri, name);
  return {
    mongo: { uri, connectionsMax: 20, serverSelectionTimeoutMs: 5_000 },
    queue: { redisUrl: addresses.redisUrl, prefix: `{${name}}` },
    redis: DEFAULT_REDIS_TIMES,
    log: { level: process.env['BATON_LOG_LEVEL'] === 'debug' ? 'debug' : 'silent' },
    worker: {
      operationConcurrency: 8,
      previewConcurrency: 2,
      claimConcurrency: 200,
      batchConversationsMax: 1_000,
      batchesInFlightMax: 2,
      roundRepeatedForMs: 2_000,
      sliceMs: 2_000,
      lockMs: 10_000,
      stalledCheckMs: 5_000,
      queuedMax: 20_000,
      // A test sees each of its own changes at once.
      countsSharedForMs: 0,
      reconcileEveryMs: 30_000,
      receiptsKeptDays: 90,
      newerWaitMs: 3_600_000,
      closeTimeoutMs: 15_000,
      ...worker,
    },
    http: {
      host: '127.0.0.1',
      port: 0,
      corsOrigins: [],
      proxies: [],
      bodyBytesMax: 1024 * 1024,
      answerMsMax: 20_000,
      connectionsMax: 1_000,
      keyRequestsPerMinute: 100_000,
      texterRequestsPerMinute: 10_000,
      refusedPerMinute: 10_000,
    },
  };
}

/** The conversation of one contact. Omitted fields get ordinary values. */
export interface Seeded {
  readonly assigneeId?: Assignee;
  readonly status?: Status;
  readonly waitedMs?: number;
  readonly optedOut?: boolean;
  readonly name?: string;
}

/** The same conversation several times. */
export function many(count: number, each: Seeded = {}): Seeded[] {
  return Array.from({ length: count }, () => each);
}

/** 14 conversations: 6 of several statuses in the pool, one of them opted out, then 4 of t1 and 4 of t2. */
export const MIXED: readonly Seeded[] = [
  { status: 'needs-reply', waitedMs: 9_000 },
  { status: 'needs-reply', waitedMs: 9_000 },
  { status: 'not-started', waitedMs: 5_000, optedOut: true },
  { status: 'not-started', waitedMs: 4_000 },
  { status: 'not-started', waitedMs: 3_000 },
  { status: 'closed' },
  ...(['needs-reply', 'not-started', 'in-progress', 'awaiting-contact'] as const).flatMap((status) => [
    { status, assigneeId: 't1', waitedMs: 6_000 },
    { status, assigneeId: 't2', waitedMs: 6_000, optedOut: status === 'in-progress' },
  ]),
];

/** A database, queues, workers and a producer of one test file. */
export class Harness {
  readonly config: Config;
  readonly context: Context;
  readonly producer: Producer;
  /** Inserts documents past the stores. */
  readonly seeder: Seeder;
  /** True when the Redis belongs to the test, so its keys need not be deleted. */
  private readonly hasOwnRedis: boolean;
  private readonly services: Service[] = [];
  private contacts = 0;

  private constructor(config: Config, context: Context, hasOwnRedis: boolean) {
    this.config = config;
    this.hasOwnRedis = hasOwnRedis;
    this.context = context;
    this.seeder = new Seeder(context.database);
    this.producer = createProducer(config.queue);
  }

  /** `addresses` names servers of the test's own, for a test that breaks them. */
  static async open(worker: Partial<Config['worker']> = {}, addresses?: Addresses): Promise<Harness> {
    const config = testConfig(worker, addresses);
    const context = await createContext(config);
    await migrate(context.database);
    return new Harness(config, context, addresses !== undefined);
  }

  async startWorker(worker: Partial<Config['worker']> = {}): Promise<Service> {
    const config = { ...this.config, worker: { ...this.config.worker, ...worker } };
    const service = await startService(config, createLogger(this.config.log));
    await service.ready;
    this.services.push(service);
    return service;
  }

  /** Stops everything that this harness started, and deletes what it stored. */
  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.close()));
    await this.producer.close();
    await this.context.database.command({ dropDatabase: 1 });
    await this.context.close();
    if (this.hasOwnRedis) return;
    const redis = new Redis(this.config.queue.redisUrl);
    const keys = await redis.keys(`${this.config.queue.prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    await redis.quit();
  }

  /** Inserts a campaign with texters t1, t2, … who joined in this order. */
  async seedCampaign(
    texterCount: number,
    {
      campaignId = this.newId('c'),
      selfAssign = {},
      country = null,
    }: { campaignId?: string; selfAssign?: Partial<SelfAssignSettings>; country?: string | null } = {},
  ): Promise<string> {
    const rules = { enabled: false, batchMax: 300, openMax: 300, repliesMax: null, ...selfAssign };
    await this.seeder.campaign(
      campaignDoc({ _id: campaignId, texterCount, selfAssign: rules, country }),
      Array.from({ length: texterCount }, (_, index) => texterDoc({ campaignId, joinedOrder: index + 1 })),
    );
    return campaignId;
  }

  /** Returns the ids of the conversations in the given order. */
  async seedConversations(campaignId: string, seeded: readonly Seeded[]): Promise<string[]> {
    const now = Date.now();
    const docs = seeded.map((each) => this.conversation(campaignId, each, now));
    await this.seeder.conversations(docs);
    return docs.map((doc) => doc._id.toHexString());
  }

  async pause(campaignId: string, texterId: string, active = false): Promise<void> {
    await this.context.database.texters.updateOne({ campaignId, texterId }, { $set: { active } });
  }

  /** Counts the conversations of each texter, and of the `pool`. */
  async loads(campaignId: string): Promise<Record<string, number>> {
    const rows = await this.context.stores.conversations.countByAssignee(campaignId);
    const loads: Record<string, number> = {};
    for (const { assigneeId, count } of rows) loads[assigneeId ?? 'pool'] = (loads[assigneeId ?? 'pool'] ?? 0) + count;
    return loads;
  }

  async isWaiting(operationId: string): Promise<boolean> {
    return ((await this.context.stores.claims.find(operationId))?.waiting ?? null) !== null;
  }

  newId(prefix: string): string {
    // Digits alone could be a phone number, which messages hide.
    return `${prefix}_r${randomBytes(6).toString('hex')}`;
  }

  private conversation(campaignId: string, seeded: Seeded, now: number): ConversationDoc {
    this.contacts += 1;
    const { name = `Contact ${this.contacts}`, waitedMs = 0, ...fields } = seeded;
    const doc = conversationDoc(this.contacts, { campaignId, waitingSince: new Date(now - waitedMs), ...fields });
    return { ...doc, contact: { ...doc.contact, name } };
  }
}
