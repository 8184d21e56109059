import { setTimeout as sleep } from 'node:timers/promises';
import { JobFailed, Refusal } from '../../src/domain/errors.ts';
import type { Status } from '../../src/domain/conversation.ts';
import { isEnded } from '../../src/domain/operation.ts';
import { withFailedJobs } from '../../src/reconcile/failed-jobs.ts';
import { findFailed, retry } from '../../src/reconcile/retry.ts';
import type { Answer, SeededCampaign, SentRequest } from '../support/audit/records.ts';
import type { Harness, Seeded } from '../support/harness.ts';
import type { Random } from '../support/random.ts';
import { createSenders, type Sender, type SentIds, type TortureRequest } from './senders.ts';

/** How much is seeded, and how many senders of each kind every campaign has. */
export interface LoadSize {
  readonly campaigns: number;
  readonly texters: number;
  readonly conversations: number;
  readonly senders: Readonly<Record<Sender['kind'], number>>;
}

const RULES = { enabled: true, batchMax: 12, openMax: 150, repliesMax: null };
/** How long a sender waits for an answer before it sends the request again. */
const ANSWER_MS = 20_000;
const RESEND_AFTER_MS = 200;
/** Without an answer, this share of the senders waits until the operation has ended before they send it again. */
const PATIENT_SHARE = 0.5;
const POLL_EVERY_MS = 500;

interface SentByLoad extends SentRequest {
  readonly answers: Answer[];
}

/** Sends requests of every kind, and repeats each one until it is answered. */
export class Load {
  readonly campaigns: readonly SeededCampaign[];
  readonly sent: SentByLoad[] = [];
  /** How many requests were sent again after an error or without an answer. */
  sentAgain = 0;
  /** How many failed operations were retried. */
  retried = 0;
  private readonly harness: Harness;
  private readonly random: Random;
  private readonly size: LoadSize;
  private working: Promise<unknown> = Promise.resolve();
  private stopped = false;
  private readonly deadline = new AbortController();

  private constructor(harness: Harness, random: Random, size: LoadSize, campaigns: readonly SeededCampaign[]) {
    this.harness = harness;
    this.random = random;
    this.size = size;
    this.campaigns = campaigns;
  }

  static async seed(harness: Harness, random: Random, size: LoadSize): Promise<Load> {
    const campaigns: SeededCampaign[] = [];
    for (let at = 0; at < size.campaigns; at += 1) campaigns.push(await seedCampaign(harness, random, size));
    return new Load(harness, random, size, campaigns);
  }

  get answered(): number {
    return this.sent.filter(({ answers }) => answers.length > 0).length;
  }

  /** The number of refusals by code. */
  get refusals(): Record<string, number> {
    const codes = this.sent.flatMap(({ answers }) =>
      answers.flatMap((answer) => ('code' in answer ? [answer.code] : [])),
    );
    const counts: Record<string, number> = {};
    for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
    return counts;
  }

  start(): void {
    const all = this.campaigns.flatMap((campaign) =>
      createSenders(this.harness, campaign, this.random, () => this.sentIds(campaign)).flatMap((sender) =>
        Array.from({ length: this.size.senders[sender.kind] }, () =>
          this.sendUntilStopped(campaign.campaignId, sender),
        ),
      ),
    );
    this.working = Promise.all(all);
    this.working.catch(() => undefined);
  }

  /** Sends no new request. Resolves when all requests are answered, or after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopped = true;
    const timer = setTimeout(() => this.deadline.abort(), deadlineMs);
    await this.working;
    clearTimeout(timer);
  }

  private sentIds({ campaignId }: SeededCampaign): SentIds {
    const sent = this.sent.filter((each) => each.campaignId === campaignId && !each.cancels);
    const ids = (isAnswered: boolean): string[] =>
      sent.filter(({ answers }) => answers.length > 0 === isAnswered).map(({ operationId }) => operationId);
    return { unanswered: ids(false), answered: ids(true) };
  }

  private async sendUntilStopped(campaignId: string, { next, pauseMs }: Sender): Promise<void> {
    while (!this.stopped) {
      const { send, ...request } = next();
      const sent: SentByLoad = { ...request, campaignId, answers: [] };
      this.sent.push(sent);
      await this.sendUntilAnswered(sent, send);
      await sleep(pauseMs);
    }
  }

  private async sendUntilAnswered(sent: SentByLoad, send: TortureRequest['send']): Promise<void> {
    const isPatient = !sent.cancels && this.random.chance(PATIENT_SHARE);
    while (!this.deadline.signal.aborted) {
      try {
        sent.answers.push(await (await send()).result({ waitMs: ANSWER_MS }));
        return;
      } catch (error) {
        if (error instanceof Refusal) return void sent.answers.push({ code: error.code });
        if (error instanceof JobFailed && (await retryFailed(this.harness, sent.operationId))) this.retried += 1;
        if (isPatient) await this.ended(sent.operationId);
        this.sentAgain += 1;
        await sleep(RESEND_AFTER_MS);
      }
    }
  }

  /** Resolves when the operation has ended, and at once when the database does not have it. */
  private async ended(operationId: string): Promise<void> {
    const { operations } = this.harness.context.stores;
    while (!this.deadline.signal.aborted) {
      const found = await operations.findOperationOrClaim(operationId).catch(() => 'unavailable' as const);
      if (found === undefined || (typeof found === 'object' && isEnded(found.state))) return;
      await sleep(POLL_EVERY_MS);
    }
  }
}

/** Retries an operation as `baton retry` does. Returns false when it is not failed, or when a service is unavailable. */
async function retryFailed({ config, context }: Harness, operationId: string): Promise<boolean> {
  const { failures, operationViews } = context;
  try {
    return await withFailedJobs(config.queue, async (jobs) => {
      const deps = { failures, operationViews, jobs };
      return retry(deps, await findFailed(deps, operationId));
    });
  } catch {
    return false;
  }
}

/** Half of the conversations are not started, so that claims find some. */
const STATUS_MIX: readonly Status[] = [
  'not-started',
  'not-started',
  'not-started',
  'needs-reply',
  'in-progress',
  'closed',
];

async function seedCampaign(harness: Harness, random: Random, size: LoadSize): Promise<SeededCampaign> {
  const campaignId = await harness.seedCampaign(size.texters, { selfAssign: RULES });
  const texterIds = Array.from({ length: size.texters }, (_, index) => `t${index + 1}`);
  const seeded = Array.from({ length: size.conversations }, (): Seeded => {
    const assigneeId = random.chance(0.5) ? null : random.pick(texterIds);
    const waitedMs = random.between(1, 500) * 1_000;
    return { status: random.pick(STATUS_MIX), assigneeId, waitedMs, optedOut: random.chance(0.03) };
  });
  const ids = await harness.seedConversations(campaignId, seeded);
  const assignees = new Map(ids.map((id, index) => [id, seeded[index]?.assigneeId ?? null]));
  return { campaignId, texterIds, rules: RULES, assignees };
}
