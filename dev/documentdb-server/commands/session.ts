import { deserialize, type Document } from 'bson';
import { discardCursors, type Call, type Handler } from '../context.js';

/** Commands that end transactions and sessions. */

async function commitTransaction(call: Call): Promise<Document> {
  const { command, context, owner } = call;
  try {
    await context.transactions.commit(command, owner);
  } finally {
    closeCursors(call);
  }
  return { ok: 1 };
}

async function abortTransaction(call: Call): Promise<Document> {
  const { command, context, owner } = call;
  closeCursors(call);
  await context.transactions.abort(command, owner);
  return { ok: 1 };
}

function closeCursors({ command: { session, txnNumber }, context }: Call): void {
  if (session === undefined || txnNumber === undefined) return;
  void discardCursors(context, context.cursors.removeOf(session, txnNumber));
}

function sessionsIn({ command }: Call): string[] {
  const sessions = (deserialize(command.body)[command.name] ?? []) as { id?: { buffer: Uint8Array } }[];
  return sessions.flatMap(({ id }) => (id === undefined ? [] : [Buffer.from(id.buffer).toString('hex')]));
}

function endSessions(call: Call): Document {
  const ids = sessionsIn(call);
  // The driver does not wait for the end of its sessions.
  void end(call, ids);
  void call.context.retryableWrites.forget(ids).catch(() => undefined);
  return { ok: 1 };
}

/**
 * Rolls back the transactions of the sessions at once. Without a session, it ends all of them. As in MongoDB, the client may
 * use the sessions again, and a repeated write is still recognised.
 */
async function killSessions(call: Call): Promise<Document> {
  const ids = sessionsIn(call);
  await end(call, ids.length > 0 ? ids : call.context.transactions.openSessions);
  return { ok: 1 };
}

/** Resolves when the transactions of the sessions have released their locks. */
async function end({ context }: Call, ids: readonly string[]): Promise<void> {
  for (const session of ids) {
    void context.snapshots.end(session);
    void discardCursors(context, context.cursors.removeOf(session));
  }
  await Promise.all(ids.map((session) => context.transactions.endSession(session)));
}

export const SESSION_COMMANDS: Record<string, Handler> = {
  commitTransaction,
  abortTransaction,
  endSessions,
  killSessions,
  refreshSessions: () => ({ ok: 1 }),
};
