import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { openNamelessFile, piecesOf, writeAll } from '../contacts/index.ts';
import { isSystemError, unusableFile } from './errors.ts';
import type { Terminal } from './terminal.ts';

const STDIN = '-';

/** A file that is read more than once. */
export interface InputFile {
  readonly name: string;
  readonly bytes: number;
  /** Reads from the beginning. `onRead` gets the number of bytes that were read. */
  read(onRead?: (bytes: number) => void): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a file, or the standard input as `-`. Throws a `bad-request` refusal when it cannot be read. */
export async function openInput({ stdin }: Terminal, file: string): Promise<InputFile> {
  if (file === STDIN) return inputFile('the standard input', await copied(stdin));
  try {
    const handle = await open(file);
    const stats = await handle.stat();
    if (stats.isFile()) return await inputFile(file, handle);
    if (stats.isDirectory()) {
      await handle.close();
      throw unusableFile(file, 'read', 'EISDIR');
    }
    // A pipe can be read once only.
    return await inputFile(file, await copied(handle.createReadStream()));
  } catch (error) {
    throw isSystemError(error) ? unusableFile(file, 'read', error.code) : error;
  }
}

async function inputFile(name: string, handle: FileHandle): Promise<InputFile> {
  const { size: bytes } = await handle.stat();
  return { name, bytes, read: (onRead) => piecesOf(handle, onRead), close: () => handle.close() };
}

async function copied(stream: Readable): Promise<FileHandle> {
  const handle = await openNamelessFile();
  for await (const piece of stream as AsyncIterable<Uint8Array>) await writeAll(handle, piece);
  return handle;
}
