import { shownOperation, type LivePublisher } from '../src/events/index.ts';
import {
  isOne,
  type Operation,
  type OperationOrClaim,
  type OperationRequest,
  type SliceControls,
  type SliceResult,
} from '../src/operations/index.ts';

/** Reports what an operation changes to those who watch its campaign. Call it after the commit. */
export class LiveChanges {
  private readonly live: LivePublisher;

  constructor(live: LivePublisher) {
    this.live = live;
  }

  /** The callbacks of one slice. */
  duringSlice(
    { operationId, campaignId, kind }: OperationRequest,
    report: NonNullable<SliceControls['onProgress']>,
  ): Pick<SliceControls, 'onMoved' | 'onProgress'> {
    return {
      onMoved: (moves) => this.live.publish(campaignId, (draft) => draft.addMoves(moves)),
      onProgress: (progress) => {
        const { moved } = progress;
        this.live.publish(campaignId, (draft) => draft.addOperation({ operationId, kind, state: 'running', moved }));
        report(progress);
      },
    };
  }

  /** An operation that a slice has accepted or ended. */
  afterSlice({ kind, operation }: SliceResult, isFirst: boolean): void {
    if (kind === 'ended') this.ended(operation);
    else if (isFirst) this.operation(operation);
  }

  operation(operation: OperationOrClaim): void {
    this.live.publish(operation.campaignId, (draft) => draft.addOperation(shownOperation(operation)));
  }

  /** A single move that was written at once has had no batch before. */
  private ended(operation: Operation): void {
    const { request, receipt, campaignId } = operation;
    this.operation(operation);
    const [from] = receipt?.bySource ?? [];
    const [to] = receipt?.byTarget ?? [];
    if (!isOne(request) || !from || !to) return;
    const move = { from: from.assigneeId, to: to.assigneeId, conversationIds: [request.conversationId] };
    this.live.publish(campaignId, (draft) => draft.addMoves([move]));
  }
}
