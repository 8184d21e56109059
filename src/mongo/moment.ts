import { hasCode } from './server-errors.ts';

const SNAPSHOT_UNAVAILABLE = 246;
const SNAPSHOT_TOO_OLD = 239;
const ATTEMPTS_MAX = 5;

/** Runs a read with the read concern `snapshot`. Runs it again when the server no longer has the moment that it chose. */
export async function atAnyMoment<Result>(read: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      const isGone = hasCode(error, SNAPSHOT_TOO_OLD) || hasCode(error, SNAPSHOT_UNAVAILABLE);
      if (!isGone || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}
