import { setTimeout as sleep } from 'node:timers/promises';
import { JobFailed, Refusal } from '../../src/domain/errors.ts';
import type { Status } from '../../src/domain/conversation.ts';
import { isEnded } from '../../src/domain/operation.ts';
import type { Answer, AskedFor } from '../support/audit.ts';
import type { SeededCampaign } from '../support/audit-history.ts';
import type { Harness, Seeded } from '../support/harness.ts';
import type { Random } from '../support/random.ts';
import { askers, type Ask, type Asker, type Past } from './askers.ts';
import { takeUp } from './take-up.ts';

/** How much is seeded, and how many ask at once on each campaign. */
export interface LoadSize {
  readonly campaigns: number;
  readonly texters: number;
  readonly conversations: number;
  readonly askers: Readonly<Record<Asker['kind'], number>>;
}

const RULES = { enabled: true, batchMax: 12, openMax: 150, repliesMax: null };
/** What a caller waits for an answer before asking again under the same id. */
const ANSWER_MS = 20_000;
const AGAIN_MS = 200;
/** Of those who hear nothing, so many trust that it ends by itself once it is in the ledger, and ask only then. */
const TRUSTING = 0.5;
const LOOK_EVERY_MS = 500;

interface InAir extends AskedFor {
  readonly told: Answer[];
}

/** People who ask for everything there is, again and again, until they are answered. */
export class Load {
  readonly campaigns: readonly SeededCampaign[];
  readonly asked: InAir[] = [];
  /** Sent again, since Redis was away, the answer was long in coming, or the worker had given up. */
  sentAgain = 0;
  /** Given up, and taken up again where it had stopped. */
  retried = 0;
  private readonly harness: Harness;
  private readonly random: Random;
  private readonly size: LoadSize;
  private working: Promise<unknown> = Promise.resolve();
  private stopped = false;
  private given = new AbortController();

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
    return this.asked.filter(({ told }) => told.length > 0).length;
  }

  /** Each with the codes they were refused with. */
  get refusals(): Record<string, number> {
    const codes = this.asked.flatMap(({ told }) => told.flatMap((answer) => ('code' in answer ? [answer.code] : [])));
    const counts: Record<string, number> = {};
    for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
    return counts;
  }

  start(): void {
    const all = this.campaigns.flatMap((campaign) =>
      askers(this.harness, campaign, this.random, () => this.pastOf(campaign)).flatMap((asker) =>
        Array.from({ length: this.size.askers[asker.kind] }, () => this.askOn(campaign.campaignId, asker)),
      ),
    );
    this.working = Promise.all(all);
    this.working.catch(() => undefined);
  }

  /** Nobody asks for anything new. Resolves when everybody has been answered, or when `patienceMs` is over. */
  async stop(patienceMs: number): Promise<void> {
    this.stopped = true;
    const patience = setTimeout(() => this.given.abort(), patienceMs);
    await this.working;
    clearTimeout(patience);
  }

  private pastOf({ campaignId }: SeededCampaign): Past {
    const asked = this.asked.filter((each) => each.campaignId === campaignId && !each.stops);
    const ids = (isAnswered: boolean): string[] =>
      asked.filter(({ told }) => told.length > 0 === isAnswered).map(({ id }) => id);
    return { inAir: ids(false), answered: ids(true) };
  }

  private async askOn(campaignId: string, { next, restMs }: Asker): Promise<void> {
    while (!this.stopped) {
      const { send, ...what } = next();
      const asked: InAir = { ...what, campaignId, told: [] };
      this.asked.push(asked);
      await this.untilAnswered(asked, send);
      await sleep(restMs);
    }
  }

  private async untilAnswered(asked: InAir, send: Ask['send']): Promise<void> {
    const isTrusting = !asked.stops && this.random.chance(TRUSTING);
    while (!this.given.signal.aborted) {
      try {
        const sent = await send();
        asked.told.push(await sent.result({ waitMs: ANSWER_MS }));
        return;
      } catch (error) {
        if (error instanceof Refusal) return void asked.told.push({ code: error.code });
        if (error instanceof JobFailed && (await takeUp(this.harness, asked.id))) this.retried += 1;
        if (isTrusting) await this.endsByItself(asked.id);
        this.sentAgain += 1;
        await sleep(AGAIN_MS);
      }
    }
  }

  /** At once for what the ledger does not know. */
  private async endsByItself(id: string): Promise<void> {
    const { operations } = this.harness.context.stores;
    while (!this.given.signal.aborted) {
      const found = await operations.findOperationOrClaim(id).catch(() => 'the database is away' as const);
      if (found === undefined || (typeof found === 'object' && isEnded(found.state))) return;
      await sleep(LOOK_EVERY_MS);
    }
  }
}

const MIX: readonly Status[] = ['not-started', 'not-started', 'not-started', 'needs-reply', 'in-progress', 'closed'];

async function seedCampaign(harness: Harness, random: Random, size: LoadSize): Promise<SeededCampaign> {
  const campaignId = await harness.seedCampaign(size.texters, { selfAssign: RULES });
  const texterIds = Array.from({ length: size.texters }, (_, index) => `t${index + 1}`);
  const seeded = Array.from({ length: size.conversations }, (): Seeded => {
    const assigneeId = random.chance(0.5) ? null : random.pick(texterIds);
    const waitedMs = random.between(1, 500) * 1_000;
    return { status: random.pick(MIX), assigneeId, waitedMs, optedOut: random.chance(0.03) };
  });
  const ids = await harness.seedConversations(campaignId, seeded);
  const assignees = new Map(ids.map((id, index) => [id, seeded[index]?.assigneeId ?? null]));
  return { campaignId, texterIds, rules: RULES, assignees };
}
