import type { Entry, Position } from '../../events/index.ts';

/** What a client starts with: the state of what it watches, with every change up to the position. */
export interface Snapshot {
  readonly position: Position;
  readonly text: string;
  /** True when nothing can follow: the stream ends. */
  readonly isLast: boolean;
}

/** Stands for a text: only the database knows what has changed, so the client gets a new snapshot. */
export const READ_AGAIN = Symbol('read again');

export type LiveText = string | typeof READ_AGAIN;

/** What one client sees of a campaign. */
export interface LiveView {
  /** Reads a snapshot that has every change up to `since` at least. */
  snapshot(since: Position): Promise<Snapshot>;
  /**
   * The event about a change. `previous` is the version of the last event that the client has received. Returns `undefined`
   * when the change does not concern the client.
   */
  eventOf(entry: Entry, previous: number): LiveText | undefined;
  /** Called at intervals, because a change can be lost. Returns a last snapshot if there is one. */
  check?(): Promise<Snapshot | undefined>;
  /** True for a client that receives the counts of all senders. */
  readonly showsCounts: boolean;
}
