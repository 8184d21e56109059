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
  return end(call, sessionsIn(call));
}

/** Rolls back the transactions of the sessions at once. Without a session, it ends all of them. */
async function killSessions(call: Call): Promise<Document> {
  const ids = sessionsIn(call);
  const sessions = ids.length > 0 ? ids : call.context.transactions.openSessions;
  await Promise.all(sessions.map((session) => call.context.transactions.endSession(session)));
  return end(call, sessions);
}

function end({ context }: Call, ids: readonly string[]): Document {
  for (const session of ids) {
    void context.transactions.endSession(session);
    void context.snapshots.end(session);
    void discardCursors(context, context.cursors.removeOf(session));
  }
  // The driver does not wait for the end of its sessions.
  void context.retryableWrites.forget(ids).catch(() => undefined);
  return { ok: 1 };
}

export const SESSION_COMMANDS: Record<string, Handler> = {
  commitTransaction,
  abortTransaction,
  endSessions,
  killSessions,
  refreshSessions: () => ({ ok: 1 }),
};
