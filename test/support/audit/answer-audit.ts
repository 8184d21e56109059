import type { ClaimDoc, OperationDoc } from '../../../src/mongo/documents.ts';
import { TOO_EARLY_CODES } from '../../../src/domain/errors.ts';
import { groupBy, sortedJson, type Answer, type CampaignRecords, type SentRequest } from './records.ts';

type Ending = Pick<OperationDoc | ClaimDoc, 'kind' | 'receipt' | 'error' | 'state' | 'reopened'>;

/** Compares the requests that were sent, and their answers, with the stored operations and claims. */
export class AnswerAudit {
  private readonly campaignId: string;
  private readonly claims: ReadonlyMap<string, ClaimDoc>;
  private readonly stored: ReadonlyMap<string, Ending>;
  private readonly requests: readonly SentRequest[];
  private readonly cancellations: ReadonlyMap<string, readonly SentRequest[]>;
  private readonly violations: string[] = [];

  constructor(campaignId: string, { operations, claims }: CampaignRecords, sent: readonly SentRequest[]) {
    this.campaignId = campaignId;
    this.claims = new Map(claims.map((doc) => [doc._id, doc]));
    this.stored = new Map<string, Ending>([...operations, ...claims].map((doc) => [doc._id, doc]));
    this.requests = sent.filter(({ cancels }) => !cancels);
    this.cancellations = groupBy(
      sent.filter(({ cancels }) => cancels),
      ({ operationId }) => operationId,
    );
  }

  run(): readonly string[] {
    const known = new Set(this.requests.map(({ operationId }) => operationId));
    for (const [id, doc] of this.stored) {
      if (!known.has(id)) this.violation(`${id} is stored, but was not requested`);
      this.checkCancellations(id, this.cancellations.get(id) ?? [], doc);
    }
    for (const request of this.requests) this.checkAnswers(request);
    return this.violations;
  }

  private checkAnswers({ operationId: id, answers }: SentRequest): void {
    const doc = this.stored.get(id);
    if (!doc) this.violation(`${id} is not stored`);
    if (answers.length === 0) this.violation(`${id} was never answered`);
    const creators = answers.filter((answer) => 'outcome' in answer && answer.outcome === 'created');
    if (creators.length > 1) this.violation(`${id} was created ${creators.length} times`);
    for (const answer of answers) if (doc) this.checkAnswer(id, answer, doc);
  }

  private checkAnswer(id: string, answer: Answer, { kind, receipt, error }: Ending): void {
    const received = 'code' in answer ? answer.code : sortedJson(answer.receipt);
    const stored = error?.code ?? sortedJson(receipt);
    // The undo was sent before its operation had ended, and again afterwards.
    if (TOO_EARLY_CODES.some((code) => code === received) && kind === 'undo') return;
    if (received !== stored) this.violation(`${id} was answered with ${received}, but ${stored} is stored`);
    if (!('conversationIds' in answer)) return;
    const granted = this.claims.get(id)?.granted.map((each) => each.toHexString());
    if (sortedJson(granted) !== sortedJson(answer.conversationIds))
      this.violation(`claim ${id} was answered with another list of conversations than the stored one`);
  }

  /** Nothing is cancelled without a request, and each answer is the stored receipt, or that the operation had ended. */
  private checkCancellations(id: string, sent: readonly SentRequest[], { state, receipt, reopened }: Ending): void {
    if (state === 'cancelled' && sent.length === 0) this.violation(`${id} was cancelled without a request`);
    if (sent.some(({ answers }) => answers.length === 0)) this.violation(`a cancel of ${id} was never answered`);
    for (const answer of sent.flatMap(({ answers }) => answers)) {
      const received = 'code' in answer ? answer.code : sortedJson(answer.receipt);
      // The cancel arrived before the operation, or before the operation was reopened.
      if (received === 'unknown-operation' || (received === 'operation-ended' && reopened !== undefined)) continue;
      const expected = state === 'cancelled' ? sortedJson(receipt) : 'operation-ended';
      if (received !== expected)
        this.violation(`a cancel of ${id} was answered with ${received} instead of ${expected}`);
    }
  }

  private violation(what: string): void {
    this.violations.push(`${this.campaignId}: ${what}`);
  }
}
