import { setTimeout as sleep } from 'node:timers/promises';
import { setActive } from '../../../src/campaigns/index.ts';
import { importContacts, sourceOf } from '../../../src/contacts/index.ts';
import { viewSenders } from '../../../src/conversations/index.ts';
import { sendRequest } from '../../../src/producer/send-many.ts';
import type { AnyRequest } from '../../../test/support/any-request.ts';
import type { Sandbox } from '../../sandbox.ts';
import { CHOICES, CONFIRMED_CHOICES, EMPTIES_POOL, type Known, type UnassignAll } from './choices.ts';
import type { Requests, Target } from './requests.ts';

const COUNTS_EVERY_MS = 2_000;
/** A cancellation follows its operation after a part of this time. */
const CANCEL_AFTER_MS_MAX = 1_000;
const PAUSE_MS = { least: 3_000, most: 10_000 };
/** An operation that empties the pool is taken back after this time. */
const TAKE_BACK_AFTER_MS = { least: 1_000, most: 5_000 };
/** More than the preview showed, because the campaign changes meanwhile. */
const CONFIRM_MARGIN = 1.1;
const CONFIRM_MARGIN_MIN = 50;
/** An undo is asked for one of this many newest operations. */
const UNDO_OF_NEWEST = 5;
const PHONE_DIGITS = 9;

/** Sends every kind of request at a steady pace, whether or not the requests before have been answered. */
export class Administrators {
  private readonly sandbox: Sandbox;
  private readonly requests: Requests;
  private readonly known: Known;
  private readonly stopped: AbortSignal;
  /** The operations that have ended, oldest first. */
  private readonly ended: string[] = [];
  private readonly acts: Readonly<Record<string, () => Promise<unknown>>>;
  /** Acts that still wait for an answer, or for the time of their next request. */
  private readonly unfinished = new Set<Promise<unknown>>();

  constructor(sandbox: Sandbox, requests: Requests, known: Known, stopped: AbortSignal) {
    this.sandbox = sandbox;
    this.requests = requests;
    this.known = known;
    this.stopped = stopped;
    this.acts = {
      ...mapValues(CHOICES, (choose, kind) => () => this.choose(kind, choose(known))),
      ...mapValues(CONFIRMED_CHOICES, (choose, kind) => () => this.confirm(kind, choose(known))),
      undo: () => this.undoOneOf(this.ended.slice(-UNDO_OF_NEWEST)),
      cancel: () => this.cancel(),
      'pause and resume': () => this.pause(),
    };
  }

  /** Chooses each kind once before it chooses one again. Returns when every act has finished. */
  async work(everyMs: number): Promise<void> {
    const { random } = this.known;
    const names = Object.keys(this.acts);
    let deck: string[] = [];
    for (let dueAt = performance.now(); !this.stopped.aborted; dueAt += everyMs) {
      await sleep(Math.max(0, dueAt - performance.now()));
      if (deck.length === 0) deck = random.some(names, names.length);
      this.start(this.acts[deck.pop() ?? '']);
    }
    while (this.unfinished.size > 0) await Promise.all(this.unfinished);
  }

  async readCounts(): Promise<void> {
    const { context } = this.sandbox;
    while (!this.stopped.aborted) {
      await this.requests.do(this.target('read counts'), () => viewSenders(context, this.known.campaignId));
      await sleep(COUNTS_EVERY_MS);
    }
  }

  /** Imports new contacts into the pool. Returns the number of those that were added. */
  async importContacts(count: number): Promise<number> {
    const rows = Array.from({ length: count }, (_, index) => [
      `Imported ${index}`,
      `+919${String(index).padStart(PHONE_DIGITS, '0')}`,
    ]);
    const { campaignId } = this.known;
    const { context } = this.sandbox;
    const work = () => importContacts(context, campaignId, sourceOf(['name', 'phone'], rows));
    const result = await this.requests.do(this.target('import'), work);
    await this.sandbox.producer.poolRefilled(campaignId);
    return result?.added ?? 0;
  }

  private start(act: (() => Promise<unknown>) | undefined): void {
    if (!act) return;
    const finished = act().finally(() => this.unfinished.delete(finished));
    this.unfinished.add(finished);
  }

  private async choose(kind: string, request: AnyRequest): Promise<void> {
    await this.operate(kind, request);
    if (!EMPTIES_POOL.has(kind)) return;
    const { random } = this.known;
    await this.pass(random.between(TAKE_BACK_AFTER_MS.least, TAKE_BACK_AFTER_MS.most));
    if (this.stopped.aborted) return;
    if (random.chance(0.5)) return this.undoOneOf([request.operationId]);
    const unassign = 'unassign everyone, all not started';
    await this.confirm(unassign, CONFIRMED_CHOICES[unassign](this.known));
  }

  private async operate(kind: string, request: AnyRequest): Promise<void> {
    const target = this.target(kind, request.operationId);
    const result = await this.requests.ask(target, () => sendRequest(this.sandbox.producer, request));
    if (result) this.ended.push(request.operationId);
  }

  private async confirm(kind: string, request: UnassignAll): Promise<void> {
    const unassign = { kind: 'unassign', ...request } as const;
    const preview = () => this.sandbox.producer.preview({ ...unassign, confirm: 0 });
    const shown = await this.requests.do(this.target('preview'), preview);
    if (!shown) return;
    const confirm = Math.ceil(shown.moved * CONFIRM_MARGIN) + CONFIRM_MARGIN_MIN;
    await this.operate(kind, { ...unassign, confirm });
  }

  private async undoOneOf(operationIds: readonly string[]): Promise<void> {
    const { random, campaignId, newId } = this.known;
    if (operationIds.length === 0) return;
    const undoes = random.pick(operationIds);
    await this.operate('undo', { kind: 'undo', operationId: newId('un'), campaignId, undoes });
  }

  private async cancel(): Promise<void> {
    const { random, campaignId } = this.known;
    const kind = 'pool to everyone, even';
    const request = CHOICES[kind]?.(this.known);
    if (!request) return;
    this.start(() => this.operate(`${kind}, cancelled`, request));
    await this.pass(random.between(0, CANCEL_AFTER_MS_MAX));
    const { operationId } = request;
    const cancel = ({ waitMs }: { waitMs: number }) =>
      this.sandbox.producer.cancel({ operationId, campaignId }, { waitMs });
    const target = { ...this.target('cancel', operationId), cancels: true } as const;
    await this.requests.ask(target, () => Promise.resolve({ result: cancel }));
  }

  private async pause(): Promise<void> {
    const { random, texterIds, campaignId } = this.known;
    const texterId = random.pick(texterIds);
    const setTo = (active: boolean) => () => setActive(this.sandbox.context, campaignId, texterId, active);
    await this.requests.do(this.target('pause'), setTo(false));
    await this.pass(random.between(PAUSE_MS.least, PAUSE_MS.most));
    await this.requests.do(this.target('resume'), setTo(true));
  }

  /** Waits, but not longer than the day lasts. */
  private async pass(waitMs: number): Promise<void> {
    await sleep(waitMs, undefined, { signal: this.stopped }).catch(() => undefined);
  }

  private target(kind: string, operationId = ''): Target {
    return { kind, operationId, campaignId: this.known.campaignId };
  }
}

function mapValues<Value, Mapped>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, key: string) => Mapped,
): Record<string, Mapped> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}
