import type { Harness } from './harness.ts';
import { RawQueue } from './raw-queue.ts';
import { until } from './until.ts';
import { WorkerProcess, type Program } from './worker-process.ts';

/** A campaign with four texters and conversations in the pool. */
export interface CampaignWithPool {
  readonly harness: Harness;
  readonly campaignId: string;
  /** In the order of selection. */
  readonly ids: readonly string[];
}

export async function seedPool(
  harness: Harness,
  conversations: number,
  ...options: Parameters<Harness['seedCampaign']> extends [number, ...infer Rest] ? Rest : never
): Promise<CampaignWithPool> {
  const campaignId = await harness.seedCampaign(4, ...options);
  const pool = Array.from({ length: conversations }, (_, at) => ({ waitedMs: (1_000 - at) * 1_000 }));
  return { harness, campaignId, ids: await harness.seedConversations(campaignId, pool) };
}

/** A campaign with a pool, and worker processes that a test starts and kills. */
export class CampaignWithWorkers implements CampaignWithPool {
  readonly harness: Harness;
  readonly queue: RawQueue;
  readonly campaignId: string;
  readonly ids: readonly string[];
  private readonly settings: Readonly<Record<string, string>>;
  private readonly workers: WorkerProcess[] = [];

  /** `settings` are environment variables of every worker. */
  constructor({ harness, campaignId, ids }: CampaignWithPool, settings: Readonly<Record<string, string>>) {
    this.harness = harness;
    this.queue = new RawQueue(harness);
    this.campaignId = campaignId;
    this.ids = ids;
    this.settings = settings;
  }

  async start(env: Readonly<Record<string, string>> = {}, program: Program = {}): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start(this.harness, { ...this.settings, ...env }, program);
    this.workers.push(worker);
    return worker;
  }

  /** Resolves when the operation has this many applied batches. */
  async applied(operationId: string, batches: number): Promise<void> {
    await until(`${batches} applied batches of ${operationId}`, async () => {
      const { database } = this.harness.context;
      return (await database.batches.countDocuments({ operationId, state: 'applied' })) >= batches;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
    await this.queue.close();
    await this.harness.close();
  }
}
