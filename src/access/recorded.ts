import type { Clock } from '../domain/operation.ts';
import { COMMAND_LINE, type Change } from './organisation.ts';
import type { ChangeStore } from './ports.ts';

export interface RecordDeps {
  readonly changes: ChangeStore;
  readonly clock: Clock;
  /** Who makes the change. Default: the command line. */
  readonly actor?: string;
}

/** Makes a change and records it: before, so that a process that dies leaves a trace, and how it ended afterwards. */
export async function recorded<Result>(
  { changes, clock, actor = COMMAND_LINE }: RecordDeps,
  change: Omit<Change, 'actor'>,
  make: () => Promise<Result>,
): Promise<Result> {
  const id = await changes.begin({ ...change, actor }, clock.now());
  try {
    const result = await make();
    await changes.end(id, 'done');
    return result;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    await changes.end(id, typeof code === 'string' ? code : 'failed');
    throw error;
  }
}
