import { setImmediate as endOfTurn } from 'node:timers/promises';

/** Limits how long one caller waits for documents of others. */
const GROUP_MAX = 100;

interface Group<Found> {
  readonly ids: Set<string>;
  readonly found: Promise<ReadonlyMap<string, Found>>;
}

/**
 * Reads documents by their ids. Those that are asked for in the same turn of the event loop are read with one query: many
 * requests arrive or continue together when a round of claims ends. The query begins after the calls, so an answer is never
 * older than its call.
 */
export class GroupedReads<Found> {
  private readonly readAll: (ids: readonly string[]) => Promise<readonly Found[]>;
  private readonly idOf: (found: Found) => string;
  private next: Group<Found> | undefined;

  constructor(readAll: (ids: readonly string[]) => Promise<readonly Found[]>, idOf: (found: Found) => string) {
    this.readAll = readAll;
    this.idOf = idOf;
  }

  async find(id: string): Promise<Found | undefined> {
    if (this.next && this.next.ids.size >= GROUP_MAX) this.next = undefined;
    this.next ??= this.begin();
    this.next.ids.add(id);
    return (await this.next.found).get(id);
  }

  private begin(): Group<Found> {
    const ids = new Set<string>();
    const read = async (): Promise<ReadonlyMap<string, Found>> => {
      await endOfTurn();
      if (this.next === group) this.next = undefined;
      const found = await this.readAll([...ids]);
      return new Map(found.map((each) => [this.idOf(each), each]));
    };
    const group: Group<Found> = { ids, found: read() };
    return group;
  }
}
