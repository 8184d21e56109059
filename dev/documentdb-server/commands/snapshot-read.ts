import { serialize } from 'bson';
import type { Call, Handler } from '../context.js';
import { withChanged, withField } from '../protocol/bson-edit.js';

/** Runs a read in the snapshot of its session if its read concern is `snapshot`. The reply contains the snapshot's time. */
export function inSnapshot(read: Handler): Handler {
  return async (call) => {
    const { command, context } = call;
    const { snapshot, session } = command;
    if (snapshot === undefined || session === undefined || command.inTransaction) return read(call);
    const time = snapshot.time ?? context.clock.next();
    if (snapshot.time === undefined) await context.snapshots.open(session, time);
    const reply = await read({ ...call, snapshotTime: time } satisfies Call);
    const bytes = Buffer.isBuffer(reply) ? reply : Buffer.from(serialize(reply));
    const field = { atClusterTime: time };
    // A distinct has no cursor.
    if (command.name === 'distinct') return withField(bytes, field);
    return withChanged(bytes, 'cursor', (cursor) => withField(cursor, field));
  };
}
