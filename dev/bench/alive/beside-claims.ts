import type { BenchSandbox } from '../bench-sandbox.ts';
import { quantile } from '../load.ts';
import { dealPool, measureOperation, noteRun, type Rate } from './operation.ts';

export interface ClaimsOptions {
  readonly conversations: number;
  readonly texters: number;
  readonly claimers: number;
  readonly rounds: number;
  readonly limitMs: number;
}

/** One operation without claims, or beside claims on its own pool or on the pool of another campaign. */
export interface ClaimsRun extends Rate {
  readonly round: number;
  readonly beside: 'nothing' | 'same pool' | 'other campaign';
  readonly claims: number;
  /** Conversations that the claims were given. */
  readonly granted: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const CLAIM_COUNT = 10;
const CLAIM_LIMIT_MS = 180_000;

/** Deals a pool while texters claim again and again. */
export async function benchBesideClaims(bench: BenchSandbox, options: ClaimsOptions): Promise<ClaimsRun[]> {
  const runs: ClaimsRun[] = [];
  const order = ['nothing', 'other campaign', 'same pool'] as const;
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const beside of round % 2 === 0 ? order.toReversed() : order) {
      runs.push(await run(bench, options, round, beside));
      noteRun(`claims beside: ${beside}`, runs.at(-1));
    }
  }
  return runs;
}

async function run(
  bench: BenchSandbox,
  { conversations, texters, claimers, limitMs }: ClaimsOptions,
  round: number,
  beside: ClaimsRun['beside'],
): Promise<ClaimsRun> {
  const { sandbox } = bench;
  const campaignId = await bench.seedCampaign(texters, conversations);
  const otherId = await bench.seedCampaign(texters, beside === 'other campaign' ? conversations : 0);
  const claims = new Claims(bench, beside === 'other campaign' ? otherId : campaignId);
  const claiming = claims.run(beside === 'nothing' ? 0 : claimers);
  const rate = await measureOperation(sandbox, dealPool(sandbox, campaignId), limitMs, () => claims.stop());
  claims.isStopped = true;
  await claiming;
  await bench.deleteConversations(campaignId);
  await bench.deleteConversations(otherId);
  return { ...rate, round, beside, ...claims.measured };
}

/** Texters that claim without a pause. A claim counts if it was sent before the operation ended. */
class Claims {
  isStopped = false;
  private readonly bench: BenchSandbox;
  private readonly campaignId: string;
  private readonly latenciesMs: number[] = [];
  private granted = 0;
  private failed = 0;

  constructor(bench: BenchSandbox, campaignId: string) {
    this.bench = bench;
    this.campaignId = campaignId;
  }

  get measured(): Pick<ClaimsRun, 'claims' | 'granted' | 'p50Ms' | 'p99Ms' | 'failed'> {
    const sorted = [...this.latenciesMs].sort((a, b) => a - b);
    const [p50Ms, p99Ms] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
    return { claims: sorted.length, granted: this.granted, p50Ms, p99Ms, failed: this.failed };
  }

  async run(claimers: number): Promise<void> {
    await Promise.all(Array.from({ length: claimers }, (_, index) => this.claimRepeatedly(`t${index}`)));
  }

  stop(): Promise<void> {
    this.isStopped = true;
    return Promise.resolve();
  }

  private async claimRepeatedly(texterId: string): Promise<void> {
    const { sandbox } = this.bench;
    while (!this.isStopped) {
      const startedAt = performance.now();
      const claim = { operationId: sandbox.newId('cl'), campaignId: this.campaignId, texterId, count: CLAIM_COUNT };
      try {
        const sent = await sandbox.producer.selfAssign(claim);
        const { conversationIds } = await sent.result({ waitMs: CLAIM_LIMIT_MS });
        this.granted += conversationIds.length;
      } catch {
        this.failed += 1;
      }
      this.latenciesMs.push(performance.now() - startedAt);
    }
  }
}
