import { CommanderError } from 'commander';
import { errorWithAdvice, fileErrorInWords, queueErrorWithAdvice } from '../domain/advice.ts';
import { EXIT_REFUSED, QueueUnavailable, Refusal, UnknownFailure } from '../domain/errors.ts';

/** Exit codes. The third is `EXIT_REFUSED`. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;

interface ErrorValues {
  readonly expected: string;
  readonly received: string;
}

/** A command line that cannot be carried out. `message` is a sentence for people; the values are for programs. */
export function misused(message: string, values: ErrorValues): Refusal {
  return new Refusal('bad-request', { message, ...values });
}

/** A file that cannot be read or written. */
export function unusableFile(file: string, use: 'read' | 'written', code: string): Refusal {
  const expected = `a file that can be ${use}`;
  return misused(`${file} cannot be ${use}: ${fileErrorInWords(code)} (${code})`, {
    expected,
    received: `${code} for ${file}`,
  });
}

/** Returns true for errors of the operating system, such as ENOENT. */
export function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code);
}

/** The JSON document of a command that failed. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly expected: string | null;
  readonly received: string | null;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return wrongCommandLine(error);
  if (error instanceof Refusal || error instanceof UnknownFailure) {
    const { code, message, expected, received } = error;
    return { code, message, expected, received };
  }
  return { code: codeOf(error), message: messageOf(error), expected: null, received: null };
}

export function exitStatusOf(error: unknown): number {
  // Commander throws this error after it has printed the help or the version.
  if (error instanceof CommanderError && error.exitCode === EXIT_DONE) return EXIT_DONE;
  return error instanceof Refusal || error instanceof CommanderError ? EXIT_REFUSED : EXIT_FAILED;
}

/** Commander has printed the help instead of running a command. */
export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.code === 'commander.help';
}

function wrongCommandLine(error: CommanderError): Failure {
  const expected = 'a command line that `baton --help` describes';
  if (isHelp(error)) {
    return { code: 'bad-request', message: 'a command is missing', expected, received: 'none' };
  }
  const found = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const message = error.code === 'commander.unknownCommand' ? `${found}; see \`baton --help\`` : found;
  return { code: 'bad-request', message, expected, received: message };
}

function messageOf(error: unknown): string {
  return error instanceof QueueUnavailable ? queueErrorWithAdvice(error) : errorWithAdvice(error);
}

/** Codes of Baton's own errors. */
const OWN_CODE = /^[a-z]+(-[a-z]+)+$/;
/** Names of the database driver's errors that mean that the database cannot be reached. */
const DATABASE_UNREACHABLE = /^Mongo(ose)?.*(ServerSelection|Network|PoolCleared|NotConnected)/;

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if ('code' in error && typeof error.code === 'string' && OWN_CODE.test(error.code)) return error.code;
  return DATABASE_UNREACHABLE.test(error.name) ? 'database-unavailable' : 'failed';
}
