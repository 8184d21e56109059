import { type Command, Option } from 'commander';
import { STATUSES } from '../domain/conversation.ts';
import { SPREADS } from '../domain/operation.ts';
import { actorId, COUNT_MAX, operationId } from '../domain/ids.ts';
import { id, seconds, statusIn, wholeNumber } from './arguments.ts';
import { shown } from '../domain/visible-text.ts';
import { misused } from './errors.ts';
import type { Session } from './session.ts';

/** Arguments and options that several commands take. */
export const CAMPAIGN = ['<campaign>', 'the campaign, by id or name'] as const;
export const TEXTER = ['<texter>', 'the texter, by id or name'] as const;

const DEFAULT_WAIT_S = 600;
const LIMIT_MAX = 1_000;

export interface ActorOptions {
  readonly actor?: string;
  readonly reason?: string;
}

/** The options of every command that sends an operation. */
export interface OperationOptions extends ActorOptions {
  readonly id?: string;
  readonly preview?: true;
  /** In seconds; `false` for `--no-wait`. */
  readonly wait: number | false;
}

export function limitOption(limit: number): Option {
  return new Option('--limit <n>', 'list at most this many')
    .argParser(wholeNumber('--limit', 1, LIMIT_MAX))
    .default(limit);
}

export function statusOption(): Option {
  const statuses = ['any', ...STATUSES] as const;
  return new Option('--status <status>', `only conversations in this status: ${statuses.join(', ')}`).argParser(
    statusIn(statuses),
  );
}

export function spreadOption(): Option {
  const help = 'even: each target gets the same number; level: the target with the fewest conversations is next';
  return new Option('--spread <how>', help).choices(SPREADS);
}

export function countOption(help: string): Option {
  return new Option('--count <n>', help).argParser(wholeNumber('--count', 1, COUNT_MAX));
}

/** `--conversation` selects one conversation, so the options that select several cannot be used with it. */
export function conversationOption(help: string, conflicts: string[]): Option {
  return new Option('--conversation <id>', `${help}, by id, external id or contact`).conflicts(conflicts);
}

/** `--conversations` names each conversation, so the options that select by source and status cannot be used with it. */
export function conversationsOption(help: string, conflicts: string[]): Option {
  return new Option(
    '--conversations <ids>',
    `${help}, by id: A,B, or - to read them from the standard input`,
  ).conflicts(conflicts);
}

export function countryOption(): Option {
  return new Option('--country <code>', 'the country of phone numbers without a country code, such as US');
}

export function waitOption(): Option {
  return new Option('--wait <seconds>', 'how long to wait for the result')
    .argParser(seconds('--wait'))
    .default(DEFAULT_WAIT_S);
}

export function addActorOptions(command: Command): Command {
  return command
    .option(
      '--actor <id>',
      'an opaque id of the person who asks; stored with the operation. Default: BATON_ACTOR, or else cli',
      id('--actor', actorId),
    )
    .option('--reason <text>', 'the reason; stored with the operation, so nothing personal');
}

export function addOperationOptions(command: Command): Command {
  command.option(
    '--id <id>',
    'the id of the operation. Sending the same id again changes nothing. Default: a new id',
    id('--id', operationId),
  );
  return addActorOptions(command)
    .option('--preview', 'show what would move, and change nothing')
    .addOption(waitOption())
    .option('--no-wait', 'do not wait: print the id of the operation');
}

/** The person who asks, for requests from a terminal where nobody is named. */
const DEFAULT_ACTOR = 'cli';

/** Returns the id of the person who asks: of `--actor`, of the variable BATON_ACTOR, or a word that says where from. */
export function actorOf({ terminal }: Session, { actor }: ActorOptions): string {
  const given = actor ?? (terminal.env['BATON_ACTOR'] || DEFAULT_ACTOR);
  if (actorId.safeParse(given).success) return given;
  const expected = 'an opaque id of letters, digits, "-", "_", ".", ":" and "|"';
  throw misused(`BATON_ACTOR must be ${expected}`, { expected, received: shown(given) });
}
