import { CommanderError } from 'commander';
import { Refusal } from '../domain/errors.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_REFUSED, type Session } from './session.ts';

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly expected: string | null;
  readonly received: string | null;
}

/** Tells what went wrong, in the one form for programs or the other for people, and says the exit status. */
export function reportFailure(session: Session, error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT_DONE;
  const failure = failureOf(error);
  if (session.json) session.answer({ json: { error: failure }, text: '' });
  else session.tell(`${failure.code}: ${failure.message}`);
  return error instanceof Refusal || error instanceof CommanderError ? EXIT_REFUSED : EXIT_FAILED;
}

function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return misuse(error);
  if (error instanceof Refusal) {
    const { code, message, expected, received } = error;
    return { code, message, expected, received };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: codeOf(error), message, expected: null, received: null };
}

function misuse(error: CommanderError): Failure {
  const expected = 'a command as `baton --help` tells';
  const received =
    error.code === 'commander.help' ? 'none' : error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return { code: 'bad-request', message: `expected ${expected}, received: ${received}`, expected, received };
}

/** Codes that Baton gives its own errors; a database driver's stand for the database being away. */
const OWN_CODE = /^[a-z]+(-[a-z]+)+$/;
const DATABASE_AWAY = /^Mongo(ose)?.*(ServerSelection|Network|PoolCleared|NotConnected)/;

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if ('code' in error && typeof error.code === 'string' && OWN_CODE.test(error.code)) return error.code;
  return DATABASE_AWAY.test(error.name) ? 'database-unavailable' : 'failed';
}
