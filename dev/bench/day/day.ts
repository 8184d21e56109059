import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { audit, type AuditReport } from '../../../test/support/audit/audit.ts';
import type { SeededCampaign } from '../../../test/support/audit/records.ts';
import { Random } from '../../../test/support/random.ts';
import { BenchSandbox } from '../bench-sandbox.ts';
import { Administrators } from './administrators.ts';
import { ConflictLog } from './conflict-log.ts';
import { checkOpenMax } from './open-max.ts';
import type { DayOptions } from './options.ts';
import { rowsOf, waitsOf, type DayReport } from './report.ts';
import { Requests } from './requests.ts';
import { SimulatedTexter, type TexterTime } from './texter.ts';
import { UpstreamApp } from './upstream-app.ts';

const RULES = { enabled: true, batchMax: 20, openMax: 100, repliesMax: null };
/** The import comes at this part of the day, and brings this part of the contacts. */
const IMPORT_AT = 0.4;
const IMPORT_SHARE = 0.05;
/** How long the requests of the day may take to end after the day. */
const DRAIN_MS = 180_000;
const EVENT_LOOP_RESOLUTION_MS = 10;

export interface DayEnvironment {
  /** Further variables of the workers' environment. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Print warnings and errors of the workers' logs. Default: true. */
  readonly printsLog?: boolean;
  readonly log?: (line: string) => void;
}

/** Runs a day with worker processes of its own and audits the database afterwards. */
export async function runDay(options: DayOptions, environment: DayEnvironment = {}): Promise<DayReport> {
  const { workerEnv = {}, printsLog = true, log = () => undefined } = environment;
  const conflicts = new ConflictLog();
  const bench = await BenchSandbox.open({
    // At this level, workers log their conflicts.
    workerEnv: { BATON_LOG_LEVEL: 'debug', ...workerEnv },
    printsLog,
    onWorkerLog: (line) => conflicts.note(line),
  });
  try {
    log(`adding ${options.contacts} contacts and ${options.texters} texters`);
    const campaign = await seed(bench, options);
    await bench.sandbox.setWorkers(options.workers);
    return await new Day(bench, campaign, options, conflicts).run(log);
  } finally {
    await bench.sandbox.close();
  }
}

async function seed(bench: BenchSandbox, { texters, contacts }: DayOptions): Promise<SeededCampaign> {
  const campaignId = await bench.seedCampaign(texters, contacts, { rules: RULES });
  const ids = await bench.conversationIds(campaignId);
  const texterIds = Array.from({ length: texters }, (_, index) => `t${index}`);
  return { campaignId, texterIds, rules: RULES, assignees: new Map(ids.map((id) => [id, null])) };
}

/** One day of one campaign. */
class Day {
  private readonly bench: BenchSandbox;
  private readonly campaign: SeededCampaign;
  private readonly options: DayOptions;
  private readonly conflicts: ConflictLog;
  private readonly random: Random;
  private readonly requests = new Requests();
  private readonly app: UpstreamApp;
  private readonly texters: readonly SimulatedTexter[];
  private readonly administrators: Administrators;
  private readonly stop = new AbortController();
  private kills = 0;
  private imported = 0;

  constructor(bench: BenchSandbox, campaign: SeededCampaign, options: DayOptions, conflicts: ConflictLog) {
    const { sandbox } = bench;
    const { campaignId, texterIds, assignees } = campaign;
    const random = new Random(options.seed);
    const newId = (prefix: string): string => sandbox.newId(prefix);
    const ids = [...assignees.keys()];
    this.app = new UpstreamApp(sandbox.config.mongo.uri, campaignId, random);
    const deps = { producer: sandbox.producer, requests: this.requests, app: this.app, random, newId };
    this.texters = texterIds.map((texterId) => new SimulatedTexter(deps, campaignId, texterId));
    const known = { campaignId, texterIds, random, newId, pickConversation: () => random.pick(ids) };
    this.administrators = new Administrators(sandbox, this.requests, known, this.stop.signal);
    [this.bench, this.campaign, this.options, this.conflicts, this.random] = [
      bench,
      campaign,
      options,
      conflicts,
      random,
    ];
  }

  async run(log: (line: string) => void): Promise<DayReport> {
    const delay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS });
    delay.enable();
    const startedAt = performance.now();
    const finished = this.start(log);
    await sleep(this.options.minutes * 60_000);
    const seconds = (performance.now() - startedAt) / 1_000;
    const writes = this.app.writeMs.length;
    delay.disable();
    this.stop.abort();
    log('the day is over; waiting for the last answers');
    await this.requests.endWithin(DRAIN_MS, finished);
    await this.app.close();
    log('auditing');
    const audited = await this.audit();
    const eventLoopP99Ms = Math.max(0, delay.percentile(99) / 1e6 - EVENT_LOOP_RESOLUTION_MS);
    return this.report({ audit: audited, seconds, writes, eventLoopP99Ms });
  }

  private async start(log: (line: string) => void): Promise<void> {
    const { actions, every, minutes, contacts } = this.options;
    const { signal } = this.stop;
    const importing = async (): Promise<void> => {
      await sleep(minutes * 60_000 * IMPORT_AT);
      this.imported = await this.administrators.importContacts(Math.ceil(contacts * IMPORT_SHARE));
    };
    await Promise.all([
      ...this.texters.map((texter) => texter.work(actions, signal)),
      this.administrators.work(every * 1_000),
      this.administrators.readCounts(),
      importing(),
      this.killWorkers(log),
    ]);
  }

  private async killWorkers(log: (line: string) => void): Promise<void> {
    const { kills, workers } = this.options;
    if (kills === 0) return;
    const { signal } = this.stop;
    for (;;) {
      await sleep(kills * 1_000, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      log('killing a worker');
      await this.bench.sandbox.killWorker(this.random.between(0, workers - 1));
      this.kills += 1;
    }
  }

  private async audit(): Promise<AuditReport> {
    const { campaignId, assignees } = this.campaign;
    const { context } = this.bench.sandbox;
    const ids = await this.bench.conversationIds(campaignId);
    const imported = ids.filter((id) => !assignees.has(id));
    const all = { ...this.campaign, assignees: new Map([...assignees, ...imported.map((id) => [id, null] as const)]) };
    const stored = this.requests.all.filter(({ isStored }) => isStored);
    const { violations, checked } = await audit({ context }, [all], stored, { changedOutside: true });
    const found =
      imported.length === this.imported ? [] : [`${imported.length} contacts were imported, not ${this.imported}`];
    const changes = this.app.firstStatusChangeAt;
    const overOpenMax = await checkOpenMax(context, campaignId, RULES.openMax, changes);
    return { violations: [...violations, ...found, ...overOpenMax], checked };
  }

  private report(of: { audit: AuditReport; seconds: number; writes: number; eventLoopP99Ms: number }): DayReport {
    const time = sumTimes(this.texters.map((texter) => texter.time));
    return {
      options: this.options,
      kinds: rowsOf(this.requests.all),
      texters: time,
      waitedForClaims: time.inClaims / time.present,
      waitedForWrites: time.inWrites / time.present,
      messagesPerSecond: time.messages / of.seconds,
      writes: {
        ...waitsOf(this.app.writeMs),
        failed: this.app.failedWrites,
        perSecond: of.writes / of.seconds,
      },
      conflicts: this.conflicts.total,
      kills: this.kills,
      eventLoopP99Ms: of.eventLoopP99Ms,
      audit: of.audit,
    };
  }
}

function sumTimes(times: readonly TexterTime[]): TexterTime {
  const sum = { present: 0, inClaims: 0, inWrites: 0, idle: 0, messages: 0 };
  for (const time of times) {
    for (const part of Object.keys(sum) as (keyof TexterTime)[]) sum[part] += time[part];
  }
  return sum;
}
