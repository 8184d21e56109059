import { toOutsideId } from '../../domain/id-rules.ts';
import {
  changedOperation,
  compareIds,
  shownOperation,
  type ChangedOperation,
  type Entry,
  type Position,
} from '../../events/index.ts';
import type { OperationViewStore } from '../../operations/index.ts';
import type { SharedAnswers } from '../shared-answers.ts';
import type { CountsOfEvent } from './live-counts.ts';
import { campaignEvents } from './event-shapes.ts';
import { eventWriter } from './event-text.ts';
import type { LiveView, Snapshot } from './live-campaign.ts';

const write = eventWriter(campaignEvents);

/** How many of the newest operations a snapshot has. */
const NEWEST_OPERATIONS = 50;

interface CampaignViewDeps {
  readonly campaignId: string;
  readonly readTail: () => Promise<Position>;
  readonly readCounts: () => Promise<CountsOfEvent>;
  readonly operations: Pick<OperationViewStore, 'listOperations'>;
  readonly shared: SharedAnswers<Snapshot>;
}

/** What an app sees of a campaign: operations, the conversations that texters gained and lost, and counts by sender. */
export class CampaignView implements LiveView {
  readonly showsCounts = true;
  private readonly deps: CampaignViewDeps;

  constructor(deps: CampaignViewDeps) {
    this.deps = deps;
  }

  snapshot(since: Position): Promise<Snapshot> {
    const { shared, campaignId } = this.deps;
    const isEnough = ({ position }: Snapshot): boolean => compareIds(position.id, since.id) >= 0;
    return shared.read(`campaign ${campaignId}`, () => this.read(), isEnough);
  }

  eventOf(entry: Entry, previous: number): string {
    if (previous !== entry.version - 1) return textOf(entry, previous);
    const text = texts.get(entry) ?? textOf(entry, previous);
    texts.set(entry, text);
    return text;
  }

  private async read(): Promise<Snapshot> {
    const { campaignId, readTail, readCounts, operations } = this.deps;
    const position = await readTail();
    const [counts, newest] = await Promise.all([
      readCounts(),
      operations.listOperations(campaignId, NEWEST_OPERATIONS),
    ]);
    // A damaged operation, or one of a newer release, must not keep the others from the client.
    const known = newest.flatMap((operation) => changedOperation.safeParse(shownOperation(operation)).data ?? []);
    const data = { version: position.version, counts, operations: known.map(outside) };
    return { position, text: write('snapshot', data, position), isLast: false };
  }
}

/** Clients that watch the same campaign receive the same text. */
const texts = new WeakMap<Entry, string>();

function textOf(entry: Entry, previous: number): string {
  const { operations = [], texters = [], many = [] } = entry.change ?? {};
  const { version } = entry;
  const data = { version, previous, operations: operations.map(outside), texters, many };
  return write('changes', data, entry);
}

function outside(operation: ChangedOperation): ChangedOperation {
  return { ...operation, operationId: toOutsideId(operation.operationId) };
}
