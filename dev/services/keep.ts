import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { takeLock, type Lock } from './locks.ts';
import { errorMessage, SetupError } from './messages.ts';

/** A folder in which the servers of `npm start` keep their data from one start to the next. */
export interface KeptFolder {
  readonly path: string;
  /** Lets another `npm start` use the folder. */
  release(): Promise<void>;
}

/** Marks a folder that an earlier start has used, and is locked while one uses it. */
const MARKER = '.baton-keep';

/** Refuses a folder with files of other programs, because a server becomes the owner of its data. */
export async function openKeptFolder(path: string): Promise<KeptFolder> {
  const marker = join(path, MARKER);
  try {
    if (existsSync(path) && statSync(path).isFile()) {
      throw new SetupError(`--keep needs a folder, and ${path} is a file: name a folder`);
    }
    makeFolder(path);
    const names = readdirSync(path);
    if (names.length > 0 && !names.includes(MARKER)) {
      throw new SetupError(
        `--keep refuses ${path}, which has other files in it: name a new folder, an empty one, or one of an earlier --keep`,
      );
    }
    writeFileSync(marker, '', { flag: 'a' });
  } catch (error) {
    if (error instanceof SetupError) throw error;
    throw new SetupError(
      `--keep cannot write to ${path} (${errorMessage(error)}): name a folder that this user may write to`,
    );
  }
  const owned = await lock(path, marker);
  return { path, release: () => owned.release() };
}

/** The recursive option of `mkdir` never returns in a folder that nobody can add to, such as /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

async function lock(path: string, marker: string): Promise<Lock> {
  const owned = await takeLock(marker, { waits: false }).catch((error: unknown) => {
    // Outside Linux there is no flock. There the servers run in containers, and mongod locks its data itself.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { release: () => Promise.resolve() };
    throw error;
  });
  if (owned !== undefined) return owned;
  throw new SetupError(`--keep ${path}: another \`npm start\` is using this folder; stop it, or name another folder`);
}

const USAGE = [
  'Usage: npm start -- [--keep DIR]',
  '',
  'Starts Redis and a database unless REDIS_URL and MONGODB_URI name some,',
  'migrates the database, and runs a worker until Ctrl-C.',
  '',
  '  --keep DIR  keep the data of the started servers in this folder,',
  '              and find them again at the next start',
  '',
  'Example:',
  '  npm start -- --keep ~/baton-data',
].join('\n');

export type StartArguments = { readonly help: string } | { readonly keep: string | undefined };

/** `from` is the folder in which the command was typed: npm itself changes to the folder of the package. */
export function readStartArguments(args: readonly string[], from: string): StartArguments {
  if (args.includes('--help') || args.includes('-h')) return { help: USAGE };
  const [name, value, ...rest] = args.flatMap((arg) => /^(--keep)=(.*)$/s.exec(arg)?.slice(1) ?? [arg]);
  if (name === undefined) return { keep: undefined };
  if (name !== '--keep' || value === undefined || value === '' || value.startsWith('-') || rest.length > 0) {
    throw new SetupError(
      `npm start takes only --keep DIR, as in \`npm start -- --keep DIR\`; received: ${args.join(' ')}`,
    );
  }
  return { keep: resolve(from, value) };
}
