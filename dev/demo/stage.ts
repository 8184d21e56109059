import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { importContacts, type FileRecord } from '../../src/app/import-contacts.ts';
import { addTexter, createCampaign } from '../../src/app/roster.ts';
import { viewSenders, type SendersView } from '../../src/app/views.ts';
import { readConfig, type Config } from '../../src/config.ts';
import { createContext, type Context } from '../../src/context.ts';
import { connectProducer } from '../../src/queue/connection.ts';
import { createProducer, type Producer } from '../../src/queue/producer.ts';

/** Rows handed to the import at a time. */
const CHUNK_ROWS = 1_000;

/** A campaign with texters, and their ids by name. */
export interface Cast {
  readonly campaignId: string;
  readonly texterIds: Readonly<Record<string, string>>;
}

/** What the demo plays on: a database and queues of its own, and a worker in a process of its own. Nothing is left. */
export class Stage {
  readonly context: Context;
  readonly producer: Producer;
  private readonly config: Config;
  private readonly worker: ChildProcess;

  private constructor(config: Config, context: Context, worker: ChildProcess) {
    this.config = config;
    this.context = context;
    this.worker = worker;
    this.producer = createProducer(config.queue);
  }

  static async open(): Promise<Stage> {
    const name = `baton_demo_${randomBytes(4).toString('hex')}`;
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
    const worker = spawn(process.execPath, ['--import', 'tsx', 'workers/main.ts'], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return new Stage(config, context, worker);
  }

  async cast(name: string, texters: readonly string[], contacts: Iterable<readonly string[]>): Promise<Cast> {
    const campaignId = this.newId('c');
    await createCampaign(this.context, { campaignId, name });
    const texterIds: Record<string, string> = {};
    for (const texter of texters) {
      const added = await addTexter(this.context, { campaignId, texterId: this.newId('t'), name: texter });
      texterIds[texter] = added.texterId;
    }
    await importContacts(this.context, campaignId, recordsOf(contacts));
    return { campaignId, texterIds };
  }

  senders(campaignId: string): Promise<SendersView> {
    return viewSenders(this.context, campaignId);
  }

  newId(prefix: string): string {
    return `${prefix}_${randomBytes(8).toString('hex')}`;
  }

  async close(): Promise<void> {
    if (this.worker.exitCode === null && this.worker.signalCode === null) {
      this.worker.kill('SIGTERM');
      await once(this.worker, 'exit');
    }
    await this.producer.close();
    await this.context.database.command({ dropDatabase: 1 });
    await this.context.close();
    await this.forgetQueues();
  }

  private async forgetQueues(): Promise<void> {
    const redis = connectProducer(this.config.queue.redisUrl, () => undefined);
    if (redis.status !== 'ready') await once(redis, 'ready');
    const keys = await redis.keys(`${this.config.queue.prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    redis.disconnect();
  }
}

/** A header and rows, as a file would bring them. */
async function* recordsOf(rows: Iterable<readonly string[]>): AsyncGenerator<FileRecord[]> {
  let chunk: FileRecord[] = [];
  let line = 0;
  for (const cells of rows) {
    chunk.push({ line: (line += 1), cells });
    if (chunk.length < CHUNK_ROWS) continue;
    yield chunk;
    chunk = [];
  }
  yield await Promise.resolve(chunk);
}
