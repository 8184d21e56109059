import { expect } from 'vitest';
import type { ClaimInput, Producer } from '../../src/index.ts';
import { claimFor, requestFor } from './campaign-actions.ts';
import { holdInvariants, pastIn, snapshotOf } from './campaign-invariants.ts';
import type { CampaignRequest, ClaimRequest, Action, Step, WorldRequest } from './campaign-requests.ts';
import { CampaignWorld, inModel } from './campaign-world.ts';
import { cancelAlone, cancelOnceKnown } from './cancel-check.ts';
import { asModelClaim, remember, serveClaims, type ServedClaim } from './claim-model.ts';
import type { Harness } from './harness.ts';
import { holdDocuments, holdPreview, writtenBy, type WrittenMove } from './hold-against.ts';
import { Model, type ModelClaim } from './model.ts';
import { answerOf, holdOperation, previewExpectation } from './operation-check.ts';
import type { RawQueue } from './raw-queue.ts';
import { bytesOf, rawConversations, rawOperation } from './raw.ts';
import { isLockInput, send, type AnyRequest, type LockInput } from './send.ts';
import { until } from './until.ts';

/** Room for whatever runs on the machine beside it; a claim that is stranded is stranded for good. */
const SERVED_MS_MAX = 10_000;

/** What campaigns run on: two workers are listening. */
export interface Stage {
  readonly harness: Harness;
  /** Everything that happens at once is sent by both. */
  readonly otherProducer: Producer;
  readonly operations: RawQueue;
  readonly batchMax: number;
}

/** One campaign in the real system and in the model, kept side by side. */
export class CampaignRun {
  private readonly stage: Stage;
  private readonly campaignId: string;
  readonly model: Model;
  private readonly world: CampaignWorld;
  /** The widest that its rules ever were. */
  private caps: { batchMax: number; openMax: number };

  private constructor(stage: Stage, campaignId: string, model: Model) {
    this.stage = stage;
    this.campaignId = campaignId;
    this.model = model;
    this.world = new CampaignWorld(stage.harness, campaignId, model);
    this.caps = model.rules;
  }

  private get scene(): { harness: Harness; model: Model; campaignId: string } {
    return { harness: this.stage.harness, model: this.model, campaignId: this.campaignId };
  }

  static async open(stage: Stage, request: CampaignRequest): Promise<CampaignRun> {
    const { harness } = stage;
    const campaignId = await harness.seedCampaign(request.paused.length, { selfAssign: request.rules });
    const texters = request.paused.map((isPaused, index) => ({
      texterId: `t${index + 1}`,
      joinedOrder: index + 1,
      active: !isPaused,
    }));
    for (const { texterId, active } of texters) if (!active) await harness.pause(campaignId, texterId);
    const { batchMax } = stage;
    const model = new Model({ texters, rules: request.rules, batchMax, conversations: [] });
    const run = new CampaignRun(stage, campaignId, model);
    await run.world.seed(request.conversations);
    return run;
  }

  /** Takes a step in both, and holds the one against the other. */
  async take(step: Step): Promise<void> {
    if ('alone' in step) await this.alone(step.alone, step.again);
    else await this.atOnce(step.atOnce);
    holdInvariants(await snapshotOf(this.stage.harness, this.campaignId), this.world.origins, this.caps);
  }

  private async alone(action: Action, again: boolean): Promise<void> {
    const named = { operationId: this.stage.harness.newId('op'), campaignId: this.campaignId };
    switch (action.does) {
      case 'reassign':
      case 'unassign':
      case 'reassign-one':
      case 'unassign-one':
      case 'undo': {
        const request = requestFor(this.model, action, named);
        // A claim that waits takes from the midst of what goes on: then nobody can say what exactly it will be.
        if (isLockInput(request) && this.model.waiting.length > 0) return this.atOnce([action]);
        await this.ask(request);
        return again ? this.askAgain(request) : undefined;
      }
      case 'claim':
        return this.claim(action, claimFor(this.model, action, named), again);
      case 'cancel':
        return this.holdingDocuments(async () => {
          await cancelAlone(this.scene, action);
          return [];
        });
      case 'pause':
      case 'resume':
      case 'opt out':
      case 'opt in':
      case 'write':
      case 'import':
      case 'change rules':
      case 'close':
      case 'open':
        await this.change(action);
        return this.holdingDocuments(() => this.serveWhoWaits());
    }
  }

  private async ask(request: AnyRequest): Promise<void> {
    const { harness } = this.stage;
    if (isLockInput(request)) await this.preview(request);
    await this.holdingDocuments(async () => {
      const expected = this.model.expect(request);
      const answer = await answerOf((await send(harness.producer, request)).result());
      await holdOperation(this.scene, request, expected, answer);
      if (expected.refusals.length === 0) expect(answer).toMatchObject({ outcome: 'created' });
      this.model.apply(request.operationId, expected);
      return [...writtenBy(request, expected), ...(await this.servedClaims(serveClaims(this.model, [])))];
    });
    await this.holdPointer();
  }

  private async preview(request: LockInput): Promise<void> {
    const expected = previewExpectation(this.model, request);
    const preview = this.stage.harness.producer.preview(request);
    if (expected.refusals.length === 0) holdPreview(await preview, expected, this.model);
    else expect(expected.refusals).toContain(await answerOf(preview));
  }

  /** The same request again, met by the queue or, when the queue has forgotten it, by the ledger: no second effect. */
  private async askAgain(request: AnyRequest): Promise<void> {
    const { harness, operations } = this.stage;
    const ended = await rawOperation(harness, request.operationId);
    if (ended.sequence % 2 === 0) await operations.forget(request.operationId);
    await this.holdingDocuments(async () => {
      const answer = await answerOf((await send(harness.producer, request)).result());
      if (ended.error) expect(answer).toBe(ended.error.code);
      else expect(answer).toMatchObject({ outcome: 'exists', receipt: ended.receipt });
      expect(bytesOf(await rawOperation(harness, request.operationId))).toBe(bytesOf(ended));
      return [];
    });
  }

  private async claim(request: ClaimRequest, input: ClaimInput, again: boolean): Promise<void> {
    const { operationId: claimId, texterId } = input;
    const asked: ModelClaim = {
      operationId: claimId,
      texterId,
      count: request.count,
      waits: request.waits,
      granted: [],
    };
    await this.holdingDocuments(async () => {
      const served = serveClaims(this.model, [asked]);
      await this.stage.harness.producer.selfAssign(input);
      const moves = await this.servedClaims(served);
      const own = served.find(({ claim }) => claim.operationId === claimId);
      if (own && own.state !== 'waiting') await this.holdAnswers(input, own, again ? 2 : 1);
      return moves;
    });
  }

  private async holdAnswers(input: ClaimInput, { claim, refusal }: ServedClaim, times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const answer = await answerOf((await this.stage.harness.producer.selfAssign(input)).result());
      expect(answer).toEqual(refusal ?? expect.objectContaining({ conversationIds: claim.granted }));
    }
  }

  /** Waits until the ledger has served these, and holds it against the model. Returns what was moved. */
  private async servedClaims(served: readonly ServedClaim[]): Promise<WrittenMove[]> {
    const { claims } = this.stage.harness.context.stores;
    for (const { claim, state, refusal, shortBecause, given } of served) {
      const kept = await until(
        `claim ${claim.operationId} to have ${claim.granted.length} and be ${state}`,
        async () => {
          const found = await claims.find(claim.operationId);
          const isServed = found && (found.waiting !== null) === (state === 'waiting');
          return isServed && found.granted.length >= claim.granted.length && found;
        },
        SERVED_MS_MAX,
      );
      expect(kept.granted).toEqual(claim.granted);
      if (state === 'failed') expect(kept.error?.code).toBe(refusal);
      // One that is held back keeps the receipt that it had.
      else if (!refusal && (given.length > 0 || state === 'done')) {
        const asked = claim.count;
        expect(kept.receipt).toMatchObject({ moved: claim.granted.length, asked, shortBecause });
      }
    }
    return served.flatMap(({ claim: { operationId: operationId, texterId }, given }) =>
      given.map((id) => ({ id, from: null, to: texterId, operationId, by: texterId })),
    );
  }

  private async serveWhoWaits(): Promise<WrittenMove[]> {
    await this.stage.harness.producer.poolRefilled(this.campaignId);
    return this.servedClaims(serveClaims(this.model, []));
  }

  private async change(request: WorldRequest): Promise<void> {
    await this.world.change(request);
    const { batchMax, openMax } = this.model.rules;
    this.caps = { batchMax: Math.max(this.caps.batchMax, batchMax), openMax: Math.max(this.caps.openMax, openMax) };
  }

  /** Every document is what it was, but for the moves that `act` says. */
  private async holdingDocuments(act: () => Promise<readonly WrittenMove[]>): Promise<void> {
    const { harness } = this.stage;
    const before = await rawConversations(harness, this.campaignId);
    const moves = await act();
    const after = await rawConversations(harness, this.campaignId);
    holdDocuments(before, after, moves);
    for (const [id, { assigneeId }] of after) expect(assigneeId).toBe(this.model.conversation(id).assigneeId);
  }

  private async holdPointer(): Promise<void> {
    const campaign = await this.stage.harness.context.database.campaigns.findOne({ _id: this.campaignId });
    expect(campaign?.rotation.nextJoinedOrder).toBe(this.model.nextJoinedOrder);
  }

  /**
   * Everything begins before anything has ended. Those that take turns come to what they come to one after the other, in
   * the order in which the ledger accepted them. With claims, single moves, cancels (of what is in the air) and the world
   * among them nobody can say: then all that must hold at any time is held, and the model takes over what has become of
   * the campaign.
   */
  private async atOnce(actions: readonly Action[]): Promise<void> {
    const asked: AnyRequest[] = [];
    const inAir: string[] = [];
    const acts = actions.map((action) => this.act(action, asked, inAir));
    const inTurn = acts.length === asked.length && asked.every(isLockInput) && this.model.waiting.length === 0;
    if (inTurn) {
      await this.holdingDocuments(async () => {
        const answers = new Map<string, unknown>();
        await Promise.all(acts.map(async (act) => answers.set(...(await act()))));
        return this.heldInTurn(asked, answers);
      });
      return this.holdPointer();
    }
    await Promise.all(acts.map((act) => act()));
    const { harness } = this.stage;
    if (actions.some(isOfTheWorld)) await harness.producer.poolRefilled(this.campaignId);
    await until('every claim that can be served to be served', () => this.isAtRest(), SERVED_MS_MAX);
  }

  private async heldInTurn(asked: readonly AnyRequest[], answers: ReadonlyMap<string, unknown>) {
    const { harness } = this.stage;
    const operations = await Promise.all(asked.map(({ operationId }) => rawOperation(harness, operationId)));
    const inOrder = operations.sort((a, b) => a.sequence - b.sequence).map(({ _id }) => _id);
    const moves: WrittenMove[] = [];
    for (const operationId of inOrder) {
      const request = asked.find((each) => each.operationId === operationId) as AnyRequest;
      const expected = this.model.expect(request);
      await holdOperation(this.scene, request, expected, answers.get(operationId));
      this.model.apply(request.operationId, expected);
      moves.push(...writtenBy(request, expected));
    }
    return moves;
  }

  /** Understood now, done when called; everything is sent by both producers, who must hear the same. */
  private act(action: Action, asked: AnyRequest[], inAir: string[]): () => Promise<[id: string, answer: unknown]> {
    const named = { operationId: this.stage.harness.newId('op'), campaignId: this.campaignId };
    const { operationId } = named;
    switch (action.does) {
      case 'reassign':
      case 'unassign':
      case 'reassign-one':
      case 'unassign-one':
      case 'undo': {
        const request = requestFor(this.model, action, named);
        asked.push(request);
        inAir.push(operationId);
        return async () => [operationId, await this.toldToBoth((producer) => send(producer, request))];
      }
      case 'claim': {
        const input = claimFor(this.model, action, named);
        inAir.push(operationId);
        return async () => [operationId, await this.claimByBoth(input)];
      }
      case 'cancel': {
        const meant = inAir.at(action.which % Math.max(1, inAir.length));
        return async () => [operationId, meant !== undefined && (await cancelOnceKnown(this.scene, meant))];
      }
      case 'pause':
      case 'resume':
      case 'opt out':
      case 'opt in':
      case 'write':
      case 'import':
      case 'change rules':
      case 'close':
      case 'open':
        return async () => {
          await this.change(action);
          return [operationId, null];
        };
    }
  }

  private async claimByBoth(input: ClaimInput): Promise<unknown> {
    const { harness, otherProducer } = this.stage;
    const { claims } = harness.context.stores;
    if (input.waitMs === undefined) return this.toldToBoth((producer) => producer.selfAssign(input));
    await Promise.all([harness.producer, otherProducer].map((producer) => producer.selfAssign(input)));
    return until(`claim ${input.operationId} to be served`, () => claims.find(input.operationId), SERVED_MS_MAX);
  }

  private async toldToBoth(
    ask: (producer: Producer) => Promise<{ result: () => Promise<{ outcome: string; receipt: unknown }> }>,
  ): Promise<unknown> {
    const { harness, otherProducer } = this.stage;
    const asking = [harness.producer, otherProducer].map(async (producer) => answerOf((await ask(producer)).result()));
    const [one, other] = (await Promise.all(asking)) as [{ outcome: string }, { outcome: string }];
    if (typeof one === 'string') expect(other).toBe(one);
    else {
      expect([one.outcome, other.outcome].sort()).toEqual(['created', 'exists']);
      expect({ ...one, outcome: '' }).toEqual({ ...other, outcome: '' });
    }
    return one;
  }

  /** Takes over the campaign as it stands, and says whether no claim that waits could be given anything now. */
  private async isAtRest(): Promise<boolean> {
    const { model } = this;
    const snapshot = await snapshotOf(this.stage.harness, this.campaignId);
    const { campaign, texters, conversations, operations, claims } = snapshot;
    if (!campaign) throw new Error(`expected campaign ${this.campaignId}, got none`);
    model.rules = campaign.selfAssign;
    model.closed = campaign.closed;
    model.nextJoinedOrder = campaign.rotation.nextJoinedOrder;
    for (const { texterId, active } of texters) Object.assign(model.texter(texterId) ?? {}, { active });
    for (const doc of conversations.values()) model.conversations.set(doc._id.toHexString(), inModel(doc));
    model.waiting = claims
      .filter(({ waiting }) => waiting)
      .sort((a, b) => (a.waiting?.sequence ?? 0) - (b.waiting?.sequence ?? 0))
      .map(asModelClaim);
    model.past = pastIn(snapshot);
    for (const claim of claims) if (!claim.waiting) remember(model, asModelClaim(claim));
    model.cancelled = new Set(
      [...operations, ...claims].flatMap(({ _id, state }) => (state === 'cancelled' ? _id : [])),
    );
    return serveClaims(model.clone(), []).every(({ state, given }) => state === 'waiting' && given.length === 0);
  }
}

const ASKED = ['reassign', 'unassign', 'reassign-one', 'unassign-one', 'undo', 'claim', 'cancel'];

function isOfTheWorld(action: Action): action is WorldRequest {
  return !ASKED.includes(action.does);
}
