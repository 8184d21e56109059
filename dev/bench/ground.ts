import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Types } from 'mongoose';
import { readConfig, type Config } from '../../src/config.ts';
import { createContext, type Context } from '../../src/context.ts';
import { connectProducer } from '../../src/queue/connection.ts';
import { createProducer, type Producer } from '../../src/queue/producer.ts';

const SEED_CHUNK = 5_000;
const SEEDERS = 2;
const FIRST_WAITING = Date.UTC(2026, 0, 1);

/** What a benchmark runs on: a database and queues of its own, and worker processes. Nothing is left behind. */
export class Ground {
  readonly context: Context;
  readonly producer: Producer;
  private readonly config: Config;
  private readonly env: NodeJS.ProcessEnv;
  private workers: ChildProcess[] = [];
  private contacts = 0;

  private constructor(config: Config, context: Context, env: NodeJS.ProcessEnv) {
    this.config = config;
    this.context = context;
    this.env = env;
    this.producer = createProducer(config.queue);
  }

  static async open(): Promise<Ground> {
    const name = `baton_bench_${randomBytes(4).toString('hex')}`;
    const uri = new URL(process.env['MONGODB_URI'] ?? '');
    uri.pathname = `/${name}`;
    const env = {
      ...process.env,
      MONGODB_URI: uri.toString(),
      BATON_QUEUE_PREFIX: `{${name}}`,
      BATON_LOG_LEVEL: process.env['BATON_LOG_LEVEL'] ?? 'warn',
    };
    const config = readConfig(env);
    const context = await createContext(config);
    await context.database.ensureIndexes();
    return new Ground(config, context, env);
  }

  /** Ends the workers there are, and starts `count` others. */
  async setWorkers(count: number): Promise<void> {
    await this.stopWorkers();
    const command = ['--import', 'tsx', 'workers/main.ts'];
    this.workers = Array.from({ length: count }, () =>
      spawn(process.execPath, command, {
        env: { ...this.env, BATON_LOG_LEVEL: 'info' },
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    );
    await Promise.all(this.workers.map(isReady));
  }

  async seedCampaign(texters: number, conversations: number): Promise<string> {
    const campaignId = `c_${randomBytes(6).toString('hex')}`;
    const { database, roster, clock } = this.context;
    await roster.insertCampaign({
      campaignId,
      name: campaignId,
      closed: false,
      selfAssign: { enabled: true, batchMax: 5_000, openMax: 1_000_000_000, repliesMax: null },
      texterCount: 0,
      createdAt: clock.now(),
    });
    for (let index = 0; index < texters; index += 1) {
      await roster.insertTexter({ campaignId, texterId: `t${index}`, name: `Texter ${index}`, at: clock.now() });
    }
    let next = 0;
    const seed = async (): Promise<void> => {
      while (next < conversations) {
        const from = next;
        next += SEED_CHUNK;
        const count = Math.min(SEED_CHUNK, conversations - from);
        const docs = Array.from({ length: count }, (_, index) => this.conversation(campaignId, from + index));
        await database.conversations.insertMany(docs, { ordered: false });
      }
    };
    await Promise.all(Array.from({ length: SEEDERS }, seed));
    return campaignId;
  }

  /** Gives everything back to the pool. */
  async refill(campaignIds: readonly string[]): Promise<void> {
    const taken = { campaignId: { $in: [...campaignIds] }, assigneeId: { $ne: null } };
    const back = { $set: { assigneeId: null, trail: [], lastOperationId: null } };
    await this.context.database.conversations.updateMany(taken, back);
  }

  newId(prefix: string): string {
    return `${prefix}_${randomBytes(8).toString('hex')}`;
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    await this.producer.close();
    await this.context.database.command({ dropDatabase: 1 });
    await this.context.close();
    const redis = connectProducer(this.config.queue.redisUrl, () => undefined);
    if (redis.status !== 'ready') await once(redis, 'ready');
    const keys = await redis.keys(`${this.config.queue.prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    redis.disconnect();
  }

  private async stopWorkers(): Promise<void> {
    const stopping = this.workers.filter((worker) => worker.exitCode === null && worker.signalCode === null);
    await Promise.all(stopping.map((worker) => (worker.kill('SIGTERM'), once(worker, 'exit'))));
    this.workers = [];
  }

  private conversation(campaignId: string, index: number) {
    this.contacts += 1;
    const waitingSince = new Date(FIRST_WAITING + index);
    return {
      _id: new Types.ObjectId(),
      campaignId,
      externalId: null,
      contact: { name: `Contact ${index}`, phone: `+1${String(this.contacts).padStart(10, '0')}` },
      assigneeId: null,
      status: 'not-started' as const,
      waitingSince,
      optedOut: false,
      assignmentVersion: 0,
      assignedAt: null,
      lastInboundAt: null,
      lastOutboundAt: null,
      lastOperationId: null,
      trail: [],
      createdAt: waitingSince,
    };
  }
}

/** A worker says so when it is ready. */
async function isReady(worker: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('exit', () => reject(new Error('a worker ended before it was ready')));
    worker.stderr?.on('data', (chunk: Buffer) => {
      if (chunk.includes('worker ready')) resolve();
    });
  });
}
