import { toOutsideId } from '../../domain/id-rules.ts';
import type { Change, Entry, Position } from '../../events/index.ts';
import { texterEvents, type DataOf } from './event-shapes.ts';
import { eventWriter } from './event-text.ts';
import type { LiveText, LiveView, Snapshot } from './live-campaign.ts';

const write = eventWriter(texterEvents);

type OwnPart = Omit<DataOf<typeof texterEvents, 'changes'>, 'version' | 'previous'>;

interface TexterViewDeps {
  readonly texterId: string;
  readonly readTail: () => Promise<Position>;
  /** The numbers of the texter's own conversations. */
  readonly readOwn: () => Promise<Omit<DataOf<typeof texterEvents, 'snapshot'>, 'version'>>;
}

/** What a texter sees: their own conversations and claims, and nothing of anybody else. */
export class TexterView implements LiveView {
  readonly showsCounts = false;
  private readonly deps: TexterViewDeps;

  constructor(deps: TexterViewDeps) {
    this.deps = deps;
  }

  async snapshot(): Promise<Snapshot> {
    const position = await this.deps.readTail();
    const data = { version: position.version, ...(await this.deps.readOwn()) };
    return { position, text: write('snapshot', data, position), isLast: false };
  }

  eventOf(entry: Entry, previous: number): LiveText | undefined {
    const own = entry.change && this.ownPart(entry.change);
    if (!own) return undefined;
    return write('changes', { version: entry.version, previous, ...own }, entry);
  }

  /** Returns `undefined` for a change that surely does not concern the texter. */
  private ownPart({ operations, texters, many }: Change): OwnPart | undefined {
    const { texterId } = this.deps;
    const claims = operations
      .filter((each) => each.texterId === texterId)
      .map(({ operationId, state, moved }) => ({ operationId: toOutsideId(operationId), state, moved }));
    const conversations = texters.find((each) => each.texterId === texterId);
    const isListed = conversations !== undefined;
    const omitted = many.flatMap((each): OwnPart['many'] => {
      if (each === 'operations') return ['claims'];
      return isListed === (each === 'conversations') ? ['conversations'] : [];
    });
    if (claims.length === 0 && !isListed && omitted.length === 0) return undefined;
    const { gained = [], lost = [] } = conversations ?? {};
    return { claims, gained, lost, many: omitted };
  }
}
