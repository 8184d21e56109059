import { laidOut } from '../../src/cli/layout.ts';

/** Writes one line to stderr, broken where the terminal ends. Stdout belongs to the command that runs among the services (`--json` output must parse). */
export function log(line: string): void {
  const { columns = Infinity } = process.stderr as { columns?: number };
  process.stderr.write(`${laidOut(`baton: ${line}`, columns)}\n`);
}

/** An error that the person at the keyboard has to fix. It is printed without a stack trace. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}

/** Ends every message about services that cannot be started. */
export const SERVICES_HELP = [
  'Any one of these helps:',
  '  - install the programs: `brew tap mongodb/brew && brew install mongodb-community redis` on macOS;',
  '    `sudo apt install redis-server` on Ubuntu and Debian, and MongoDB from https://www.mongodb.com/docs/manual/installation/',
  '  - set MONGODB_URI (a replica set) and REDIS_URL to servers that Baton may write to',
  '  - start a Docker engine: Baton then uses private containers and removes them at the end',
  '  - let this machine reach https://fastdl.mongodb.org: Baton then downloads MongoDB (Redis has no such download)',
  '  - run as root on Debian 12 or newer with a reachable mirror: Baton then unpacks private servers into a cache',
  '    folder and installs nothing',
].join('\n');

const LOG_TAIL_LINES = 20;

export function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Removes user name and password from an address that is going to be logged. A password may contain any character. */
export function withoutCredentials(address: string): string {
  return address.replace(/\/\/.*@/s, '//…@').replace(/[\s?#].*$/s, '');
}
