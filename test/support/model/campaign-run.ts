import { expect } from 'vitest';
import { TOO_EARLY_CODES } from '../../../src/domain/errors.ts';
import type { ClaimInput } from '../../../src/claims/contract.ts';
import { bytesOf, rawOperation } from '../raw.ts';
import { sendRequest } from '../../../src/producer/send-many.ts';
import { isLockInput, resultOrCode, type ModelRequest, type LockInput } from '../any-request.ts';
import { cancelAlone } from './cancellations.ts';
import { checkClaimAnswers, checkServedClaims, checkWaitingClaims } from './claim-checks.ts';
import { serveClaims } from './claim-rules.ts';
import { recordedMoves } from './document-checks.ts';
import { checkInvariants, snapshotOf } from './invariants.ts';
import { Model } from './model.ts';
import { checkOperation, checkPreview } from './operation-checks.ts';
import { expectedPreview, expectedResult } from './operation-rules.ts';
import { OutsideChanges } from './outside-changes.ts';
import { claimFor, requestFor } from './requests.ts';
import { checkingDocuments, checkCredits, type ModelTestSetup, type RunContext } from './run-context.ts';
import { runAtOnce } from './simultaneous-actions.ts';
import type { Action, CampaignSeed, ClaimAction, Step } from './steps.ts';

/** Takes the steps of a test on one campaign, and compares the database with the model after each step. */
export class CampaignRun {
  private readonly context: RunContext;

  private constructor(context: RunContext) {
    this.context = context;
  }

  static async open(setup: ModelTestSetup, seed: CampaignSeed): Promise<CampaignRun> {
    const { harness, batchMax } = setup;
    const campaignId = await harness.seedCampaign(seed.paused.length, { selfAssign: seed.rules });
    const texters = seed.paused.map((isPaused, index) => ({
      texterId: `t${index + 1}`,
      joinedOrder: index + 1,
      active: !isPaused,
    }));
    for (const { texterId, active } of texters) if (!active) await harness.pause(campaignId, texterId);
    const model = new Model({ texters, rules: seed.rules, batchMax, conversations: [] });
    const outside = new OutsideChanges(harness, campaignId, model);
    await outside.seed(seed.conversations);
    return new CampaignRun({ ...setup, campaignId, model, outside });
  }

  get model(): Model {
    return this.context.model;
  }

  async take(step: Step): Promise<void> {
    if ('alone' in step) await this.runAlone(step.alone, step.again);
    else await runAtOnce(this.context, step.atOnce);
    const { harness, campaignId, outside } = this.context;
    checkInvariants(await snapshotOf(harness, campaignId), outside.origins, outside.maxima);
  }

  private async runAlone(action: Action, again: boolean): Promise<void> {
    const { harness, campaignId, model, outside } = this.context;
    const ids = { operationId: harness.newId('op'), campaignId };
    switch (action.does) {
      case 'reassign':
      case 'unassign':
      case 'reassign-one':
      case 'unassign-one':
      case 'undo': {
        const request = requestFor(model, action, ids);
        // A waiting claim may take conversations while the operation runs, so the exact result is not known.
        if (isLockInput(request) && model.waiting.length > 0) return runAtOnce(this.context, [action]);
        await this.runOperation(request);
        return again ? this.sendAgain(request) : undefined;
      }
      case 'claim':
        return this.runClaim(action, claimFor(model, action, ids), again);
      case 'cancel':
        return checkingDocuments(this.context, async () => {
          await cancelAlone(this.context, action);
          return [];
        });
      case 'pause':
      case 'resume':
      case 'opt out':
      case 'opt in':
      case 'change status':
      case 'write':
      case 'move away and back':
      case 'import':
      case 'change rules':
      case 'close':
      case 'open':
        await outside.change(action);
        return checkingDocuments(this.context, async () => {
          await harness.producer.poolRefilled(campaignId);
          return checkWaitingClaims(this.context);
        });
    }
  }

  private async runOperation(request: ModelRequest): Promise<void> {
    const { harness, model } = this.context;
    if (isLockInput(request)) await this.preview(request);
    await checkingDocuments(this.context, async () => {
      const expected = expectedResult(model, request);
      const answer = await resultOrCode((await sendRequest(harness.producer, request)).result());
      await checkOperation(this.context, request, expected, answer);
      if (expected.refusals.length === 0) expect(answer).toMatchObject({ outcome: 'created' });
      model.apply(request.operationId, expected);
      return [...recordedMoves(request, expected), ...(await checkWaitingClaims(this.context))];
    });
    await checkCredits(this.context);
  }

  private async preview(request: LockInput): Promise<void> {
    const { harness, model } = this.context;
    const expected = expectedPreview(model, request);
    const preview = harness.producer.preview(request);
    if (expected.refusals.length === 0) checkPreview(await preview, expected, model);
    else expect(expected.refusals).toContain(await resultOrCode(preview));
  }

  /** Sends a request again, for every second operation after the queue has lost its job. It must change nothing. */
  private async sendAgain(request: ModelRequest): Promise<void> {
    const { harness, operations } = this.context;
    const ended = await rawOperation(harness, request.operationId);
    if (ended.sequence % 2 === 0) await operations.forget(request.operationId);
    await checkingDocuments(this.context, async () => {
      const answer = await resultOrCode((await sendRequest(harness.producer, request)).result());
      if (ended.error) expect(answer).toBe(ended.error.code);
      // It was accepted again, and refused again.
      if (TOO_EARLY_CODES.some((code) => code === answer)) return [];
      if (!ended.error) expect(answer).toMatchObject({ outcome: 'exists', receipt: ended.receipt });
      expect(bytesOf(await rawOperation(harness, request.operationId))).toBe(bytesOf(ended));
      return [];
    });
  }

  private async runClaim({ count, waits }: ClaimAction, input: ClaimInput, again: boolean): Promise<void> {
    const { harness, model } = this.context;
    const { operationId, texterId } = input;
    await checkingDocuments(this.context, async () => {
      const served = serveClaims(model, [{ operationId, texterId, count, waits, granted: [] }]);
      await harness.producer.selfAssign(input);
      const moves = await checkServedClaims(this.context, served);
      const own = served.find(({ claim }) => claim.operationId === operationId);
      if (own && own.state !== 'waiting') await checkClaimAnswers(this.context, input, own, again ? 2 : 1);
      return moves;
    });
  }
}
