import { isEnded } from '../../domain/operation.ts';
import { compareIds, type Entry, type Position } from '../../events/index.ts';
import type { OperationBody } from '../operation-shapes.ts';
import type { SharedAnswers } from '../shared-answers.ts';
import { operationEvents } from './event-shapes.ts';
import { eventWriter } from './event-text.ts';
import { READ_AGAIN, type LiveText, type LiveView, type Snapshot } from './live-campaign.ts';

const write = eventWriter(operationEvents);

interface OperationViewDeps {
  readonly operationId: string;
  readonly readTail: () => Promise<Position>;
  readonly readOperation: () => Promise<OperationBody | undefined>;
  readonly shared: SharedAnswers<Snapshot>;
}

/** What an app sees of one operation or claim: how far it has come, and its end. */
export class OperationView implements LiveView {
  readonly showsCounts = false;
  private readonly deps: OperationViewDeps;

  constructor(deps: OperationViewDeps) {
    this.deps = deps;
  }

  snapshot(since: Position): Promise<Snapshot> {
    return this.read(({ position, isLast }) => isLast || compareIds(position.id, since.id) >= 0);
  }

  async check(): Promise<Snapshot | undefined> {
    const found = await this.read(({ isLast }) => isLast);
    return found.isLast ? found : undefined;
  }

  eventOf(entry: Entry, previous: number): LiveText | undefined {
    const { operations = [], many = [] } = entry.change ?? {};
    const changed = operations.find(({ operationId }) => operationId === this.deps.operationId);
    if (!changed) return many.includes('operations') ? READ_AGAIN : undefined;
    const { state, moved } = changed;
    if (isEnded(state)) return READ_AGAIN;
    return write('progress', { version: entry.version, previous, state, moved }, entry);
  }

  private read(isEnough: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    const { shared, operationId, readTail, readOperation } = this.deps;
    const ask = async (): Promise<Snapshot> => {
      const position = await readTail();
      const operation = await readOperation();
      // An operation that is not there any more was deleted long after its end.
      const isLast = !operation || (operation.state !== 'sent' && isEnded(operation.state));
      const data = { version: position.version, operation: operation ?? null };
      return { position, isLast, text: write(isLast ? 'end' : 'snapshot', data, position) };
    };
    return shared.read(`operation ${operationId}`, ask, isEnough);
  }
}
