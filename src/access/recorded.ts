import type { Clock } from '../domain/operation.ts';
import { COMMAND_LINE, type Change } from './organisation.ts';
import type { ChangeEnd, ChangeStore } from './ports.ts';

export interface RecordDeps {
  readonly changes: ChangeStore;
  readonly clock: Clock;
  /** Who makes the change. Default: the command line. */
  readonly actor?: string;
}

const DONE: ChangeEnd = { outcome: 'done' };

/**
 * Makes a change and records it: before, so that a process that dies leaves a trace, and how it ended afterwards. `endOf`
 * reads from the result how the change ended. Default: done.
 */
export async function recorded<Result>(
  { changes, clock, actor = COMMAND_LINE }: RecordDeps,
  change: Omit<Change, 'actor'>,
  make: () => Promise<Result>,
  endOf: (result: Result) => ChangeEnd = () => DONE,
): Promise<Result> {
  const id = await changes.begin({ ...change, actor }, clock.now());
  let end = DONE;
  try {
    const result = await make();
    end = endOf(result);
    return result;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    end = { outcome: typeof code === 'string' ? code : 'failed' };
    throw error;
  } finally {
    // The caller learns what became of the change, also when the record cannot: its outcome then stays unknown.
    await changes.end(id, end).catch(() => undefined);
  }
}
