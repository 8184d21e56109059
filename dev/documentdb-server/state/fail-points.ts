import type { Document } from 'bson';
import { CODE, CommandError } from '../errors.js';
import type { Command } from '../protocol/command.js';

/** Tests switch these on with the command `configureFailPoint`, whose form is MongoDB's. */
export const FAIL_POINT = {
  /** Commands fail, wait, or lose their connection. It is MongoDB's own fail point. */
  failCommand: 'failCommand',
  /** A transaction whose client has disconnected stays open until its lifetime ends, as in MongoDB. */
  keepTransactions: 'keepTransactionsOfLostClients',
  /** The server pretends: it accepts the commands of a transaction, and runs each write at once outside of transactions. */
  ignoreTransactions: 'ignoreTransactions',
  /** The server ignores the read concern `snapshot` outside transactions. */
  ignoreSnapshots: 'ignoreSnapshots',
} as const;

/** What a fail point does to one command. */
export interface Failure {
  blockMs: number;
  closesConnection: boolean;
  error: { code: number; labels: readonly string[] | undefined } | undefined;
  writeConcernError: Document | undefined;
}

type Mode = 'off' | 'alwaysOn' | { times: number } | { skip: number };

interface FailPoint {
  data: Document;
  skip: number;
  times: number;
}

export class FailPoints {
  readonly #active = new Map<string, FailPoint>();

  /** Throws CommandError for an unknown fail point or mode. */
  configure(name: string, mode: Mode, data: Document = {}): void {
    if (!Object.values<string>(FAIL_POINT).includes(name))
      throw new CommandError(CODE.failPointSetFailed, `fail point ${name} does not exist`);
    if (mode === 'off') this.#active.delete(name);
    else this.#active.set(name, { data, ...limitsOf(mode) });
  }

  isActive(name: string): boolean {
    return this.#active.has(name);
  }

  /** Returns the failure of the command, and counts it. */
  failureOf({ name }: Command, appName: string | undefined): Failure | undefined {
    const point = this.#active.get(FAIL_POINT.failCommand);
    if (point === undefined || name === 'configureFailPoint') return undefined;
    const { failCommands, appName: onlyApp } = point.data as { failCommands?: string[]; appName?: string };
    if (failCommands?.includes(name) !== true || (onlyApp !== undefined && onlyApp !== appName)) return undefined;
    if (point.skip > 0) {
      point.skip -= 1;
      return undefined;
    }
    point.times -= 1;
    if (point.times <= 0) this.#active.delete(FAIL_POINT.failCommand);
    return failureFrom(point.data);
  }
}

function limitsOf(mode: Exclude<Mode, 'off'>): { skip: number; times: number } {
  if (mode === 'alwaysOn') return { skip: 0, times: Infinity };
  if (typeof mode === 'object' && 'times' in mode) return { skip: 0, times: mode.times };
  if (typeof mode === 'object' && 'skip' in mode) return { skip: mode.skip, times: Infinity };
  throw new CommandError(CODE.badValue, 'the mode of a fail point is off, alwaysOn, { times } or { skip }');
}

function failureFrom(data: Document): Failure {
  const { blockConnection, blockTimeMS, closeConnection, errorCode, errorLabels, writeConcernError } = data as {
    blockConnection?: boolean;
    blockTimeMS?: number;
    closeConnection?: boolean;
    errorCode?: number;
    errorLabels?: string[];
    writeConcernError?: Document;
  };
  return {
    blockMs: blockConnection === true ? (blockTimeMS ?? 0) : 0,
    closesConnection: closeConnection === true,
    error: errorCode === undefined ? undefined : { code: errorCode, labels: errorLabels },
    writeConcernError,
  };
}
