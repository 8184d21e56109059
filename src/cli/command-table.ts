import type { Command } from 'commander';
import type { Session } from './session.ts';

type AddCommand = (program: Command, session: Session) => void;

/** What `baton --help` shows of a command, and how its module is loaded. */
export interface CommandEntry {
  /** The name and the arguments, as commander reads them. */
  readonly usage: string;
  readonly summary: string;
  readonly alias?: string;
  readonly load: () => Promise<AddCommand>;
}

/** In the order of `baton --help`. Only the module of the typed command is loaded: all of them take a second. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    usage: 'campaign',
    summary: 'create, show, close, rename and remove campaigns',
    load: async () => (await import('./commands/campaign.ts')).addCampaign,
  },
  {
    usage: 'texter',
    summary: 'add, pause, rename and remove texters',
    load: async () => (await import('./commands/texter.ts')).addTexter,
  },
  {
    usage: 'import <campaign> <file>',
    summary: 'add contacts from a CSV file',
    load: async () => (await import('./commands/import.ts')).addImport,
  },
  {
    usage: 'phones <campaign>',
    summary: 'write the phone numbers of a campaign in one form, and list shared ones',
    load: async () => (await import('./commands/phones.ts')).addPhones,
  },
  {
    usage: 'repair <campaign>',
    summary: 'complete the documents of other programs',
    load: async () => (await import('./commands/repair.ts')).addRepair,
  },
  {
    usage: 'opt-out <campaign>',
    summary: 'opt a person out: no texter gets their conversations any more',
    load: async () => (await import('./commands/opt-out.ts')).addOptOut,
  },
  {
    usage: 'lift-opt-out <campaign>',
    summary: 'lift the opt-out of a person who wants messages again',
    load: async () => (await import('./commands/opt-out.ts')).addLiftOptOut,
  },
  {
    usage: 'erase <campaign>',
    summary: 'erase a person: name, phone number and external id are removed from a campaign',
    load: async () => (await import('./commands/erase.ts')).addErase,
  },
  {
    usage: 'senders <campaign>',
    summary: 'count conversations by sender',
    load: async () => (await import('./commands/senders.ts')).addSenders,
  },
  {
    usage: 'conversations <campaign>',
    summary: 'list conversations, most urgent first',
    load: async () => (await import('./commands/conversations.ts')).addConversations,
  },
  {
    usage: 'conversation <campaign> <conversation>',
    summary: 'show one conversation and its history',
    load: async () => (await import('./commands/conversations.ts')).addConversation,
  },
  {
    usage: 'reassign <campaign>',
    summary: 'move conversations to texters',
    load: async () => (await import('./commands/reassign.ts')).addReassign,
  },
  {
    usage: 'unassign <campaign>',
    summary: 'move conversations back to the pool',
    load: async () => (await import('./commands/unassign.ts')).addUnassign,
  },
  {
    usage: 'self-assign <campaign>',
    summary: 'give a texter more from the pool',
    load: async () => (await import('./commands/self-assign.ts')).addSelfAssign,
  },
  {
    usage: 'cancel [operation]',
    summary: 'stop an operation',
    load: async () => (await import('./commands/cancel-and-undo.ts')).addCancel,
  },
  {
    usage: 'undo <operation>',
    summary: 'undo the moves of an operation',
    load: async () => (await import('./commands/cancel-and-undo.ts')).addUndo,
  },
  {
    usage: 'preview <campaign>',
    summary: 'show what a move would do',
    load: async () => (await import('./commands/preview.ts')).addPreview,
  },
  {
    usage: 'operations <campaign>',
    summary: 'list operations, newest first',
    load: async () => (await import('./commands/operations.ts')).addOperations,
  },
  {
    usage: 'operation <id>',
    summary: 'show an operation and its receipt',
    load: async () => (await import('./commands/operations.ts')).addOperation,
  },
  {
    usage: 'moves <operation>',
    summary: 'list what an operation did with each conversation',
    load: async () => (await import('./commands/moves.ts')).addMoves,
  },
  {
    usage: 'failed [campaign]',
    summary: 'list failed operations',
    load: async () => (await import('./commands/failed.ts')).addFailed,
  },
  {
    usage: 'retry [operation...]',
    summary: 'retry failed operations',
    load: async () => (await import('./commands/failed.ts')).addRetry,
  },
  {
    usage: 'export <campaign>',
    summary: 'write all conversations as CSV, with assignee and status',
    alias: 'messages-export',
    load: async () => (await import('./commands/export.ts')).addExport,
  },
  {
    usage: 'worker',
    summary: 'run a worker until a signal stops it',
    load: async () => (await import('./commands/processes.ts')).addWorker,
  },
  {
    usage: 'serve',
    summary: 'run the HTTP server until a signal stops it',
    load: async () => (await import('./commands/processes.ts')).addServe,
  },
  {
    usage: 'organisation',
    summary: 'create and list organisations of the HTTP API',
    load: async () => (await import('./commands/organisation.ts')).addOrganisation,
  },
  {
    usage: 'key',
    summary: 'create, list and revoke API keys',
    load: async () => (await import('./commands/key.ts')).addKey,
  },
  {
    usage: 'changes',
    summary: 'list who changed rules, texters and keys, newest first',
    load: async () => (await import('./commands/organisation.ts')).addChanges,
  },
  {
    usage: 'migrate',
    summary: 'create or upgrade the collections and indexes of the database',
    load: async () => (await import('./commands/migrate.ts')).addMigrate,
  },
  {
    usage: 'adopt',
    summary: 'give the queues to this database',
    load: async () => (await import('./commands/adopt.ts')).addAdopt,
  },
  {
    usage: 'doctor',
    summary: 'check MongoDB, Redis and the workers',
    load: async () => (await import('./commands/doctor.ts')).addDoctor,
  },
];

/** Finds the command that a command line names: `baton import …` and `baton help import`. */
export function entryOf(args: readonly string[]): CommandEntry | undefined {
  const words = args.filter((arg) => !arg.startsWith('-'));
  const word = words[0] === 'help' ? words[1] : words[0];
  return COMMANDS.find(({ usage, alias }) => usage.split(' ')[0] === word || (word !== undefined && alias === word));
}
