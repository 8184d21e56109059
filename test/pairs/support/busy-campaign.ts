import { Halted, JobFailed, Refusal } from '../../../src/domain/errors.ts';
import { sendRequest } from '../../../src/producer/send-many.ts';
import type { Answer, SeededCampaign, SentRequest } from '../../support/audit/records.ts';
import type { Harness, Seeded } from '../../support/harness.ts';
import { Random } from '../../support/random.ts';
import type { AnyRequest } from '../../support/any-request.ts';

const TEXTERS = 12;
const STATUS_MIX = ['not-started', 'not-started', 'not-started', 'needs-reply', 'in-progress', 'closed'] as const;
/** A request without an answer after this time counts as lost. */
const LOST_AFTER_MS = 60_000;

/** How long a writer waited for one of its requests. */
export interface Wait {
  readonly what: string;
  /** Not counted: the time for which the request itself asked to wait, and the time before the campaign was free. */
  readonly waitedMs: number;
}

interface RecordedRequest extends SentRequest {
  readonly answers: Answer[];
}

interface Answering {
  result(wait: { waitMs: number }): Promise<Exclude<Answer, { code: string }>>;
}

/** The largest values that the rules of a campaign have in these tests. */
const RULES = { enabled: true, batchMax: 20, openMax: 100_000, repliesMax: null };

/** A campaign on which two writers work at the same time. It records what they send, the answers and the waits. */
export class BusyCampaign implements SeededCampaign {
  readonly rules = RULES;
  readonly harness: Harness;
  readonly campaignId: string;
  readonly texterIds: readonly string[];
  readonly assignees: Map<string, string | null>;
  readonly random: Random;
  readonly sent: RecordedRequest[] = [];
  readonly waits: Wait[] = [];
  /** The operations that an undo of the test may undo. */
  readonly undoable: string[] = [];
  /** When the last update of the whole campaign by another program ended. Requests may wait for it. */
  freeAt = 0;
  private phonePrefixes = 0;

  private constructor(harness: Harness, campaignId: string, random: Random, assignees: Map<string, string | null>) {
    this.harness = harness;
    this.campaignId = campaignId;
    this.random = random;
    this.texterIds = texterIds();
    this.assignees = assignees;
  }

  /** Half of the conversations are in the pool. */
  static async seed(harness: Harness, conversations: number, randomSeed: number): Promise<BusyCampaign> {
    const random = new Random(randomSeed);
    const campaignId = await harness.seedCampaign(TEXTERS, { selfAssign: RULES });
    const seeded = Array.from({ length: conversations }, (_, index): Seeded => ({
      status: random.pick(STATUS_MIX),
      assigneeId: random.chance(0.5) ? null : random.pick(texterIds()),
      waitedMs: (conversations - index) * 10,
      optedOut: random.chance(0.02),
    }));
    const ids = await harness.seedConversations(campaignId, seeded);
    const assignees = new Map(ids.map((id, index) => [id, seeded[index]?.assigneeId ?? null]));
    return new BusyCampaign(harness, campaignId, random, assignees);
  }

  newId(prefix = 'op'): string {
    return this.harness.newId(prefix);
  }

  /** The operations and claims that have no answer yet, oldest first. */
  get unanswered(): readonly string[] {
    return this.sent.flatMap(({ operationId, answers, cancels }) =>
      answers.length === 0 && !cancels ? operationId : [],
    );
  }

  /** The code of each refused request. */
  get refusals(): readonly string[] {
    return this.sent.flatMap(({ answers }) => answers.flatMap((answer) => ('code' in answer ? answer.code : [])));
  }

  /** Sends an operation of any kind and waits for its answer. */
  async operate(request: AnyRequest): Promise<void> {
    await this.request(request, request.kind, () => sendRequest(this.harness.producer, request));
  }

  async claim(texterId: string, count: number, waitMs?: number): Promise<void> {
    const fields = { operationId: this.newId('cl'), campaignId: this.campaignId, texterId, count };
    const input = waitMs === undefined ? fields : { ...fields, waitMs };
    await this.request(input, 'claim', () => this.harness.producer.selfAssign(input), waitMs);
  }

  async cancel(operationId: string): Promise<void> {
    const { campaignId } = this;
    const result = (options: { waitMs: number }) => this.harness.producer.cancel({ operationId, campaignId }, options);
    await this.request({ operationId, cancels: true }, 'cancel', () => Promise.resolve({ result }));
  }

  /** Measures how long a direct call of Baton, or a write by another program, takes. */
  async timed<Result>(what: string, call: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    const result = await call();
    this.noteWait(what, startedAt);
    return result;
  }

  /** A number that grows when something has changed: a batch was applied, a claim was served, a contact was imported. */
  async progress(): Promise<number> {
    const { batches, claims, conversations } = this.harness.context.database;
    const { campaignId } = this;
    const counts = await Promise.all([
      batches.countDocuments({ campaignId, state: 'applied' }),
      claims.countDocuments({ campaignId, kind: 'self-assign' }),
      conversations.countDocuments({ campaignId }),
    ]);
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Returns a prefix of phone numbers that no conversation has yet. Six digits make a mobile number of it. */
  newPhonePrefix(): string {
    this.phonePrefixes += 1;
    return `+91${9_000 + this.phonePrefixes}`;
  }

  /** Adds the imported conversations to those that the audit expects. */
  async addImported(phonePrefix: string): Promise<void> {
    const { conversations } = this.harness.context.database;
    const filter = { campaignId: this.campaignId, 'contact.phone': { $regex: `^\\${phonePrefix}` } };
    for (const { _id } of await conversations.find(filter, { projection: { _id: 1 } }).toArray()) {
      this.assignees.set(_id.toHexString(), null);
    }
  }

  private async request(
    { operationId, cancels }: { readonly operationId: string; readonly cancels?: true },
    what: string,
    sendIt: () => Promise<Answering>,
    askedToWaitMs = 0,
  ): Promise<void> {
    const { campaignId } = this;
    const record: RecordedRequest = { operationId, campaignId, answers: [], ...(cancels && { cancels }) };
    this.sent.push(record);
    const startedAt = performance.now();
    try {
      record.answers.push(await (await sendIt()).result({ waitMs: LOST_AFTER_MS + askedToWaitMs }));
    } catch (error) {
      if (error instanceof JobFailed) throw new Error(`${what} ${operationId} used up its attempts`, { cause: error });
      if (!(error instanceof Refusal) && !(error instanceof Halted)) throw error;
      record.answers.push({ code: error.code });
    }
    this.noteWait(what, startedAt + askedToWaitMs);
  }

  private noteWait(what: string, startedAt: number): void {
    this.waits.push({ what, waitedMs: performance.now() - Math.max(startedAt, this.freeAt) });
  }
}

function texterIds(): string[] {
  return Array.from({ length: TEXTERS }, (_, index) => `t${index + 1}`);
}
