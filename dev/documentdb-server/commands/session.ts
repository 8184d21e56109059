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

function endSessions({ command, context }: Call): Document {
  const sessions = (deserialize(command.body)[command.name] ?? []) as { id?: { buffer: Uint8Array } }[];
  for (const { id } of sessions) {
    if (id === undefined) continue;
    const session = Buffer.from(id.buffer).toString('hex');
    context.transactions.endSession(session);
    context.storedReplies.endSession(session);
    void discardCursors(context, context.cursors.removeOf(session));
  }
  return { ok: 1 };
}

export const SESSION_COMMANDS: Record<string, Handler> = {
  commitTransaction,
  abortTransaction,
  endSessions,
  killSessions: endSessions,
  refreshSessions: () => ({ ok: 1 }),
};
