import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isSystemError, unusableFile } from './errors.ts';
import type { Terminal } from './terminal.ts';

const OWNER_ONLY = 0o600;
const STDIN = '-';
const PIECE_BYTES = 64 * 1024;

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
  const read = async function* (onRead?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
      onRead?.(at);
    }
  };
  return { name, bytes, read, close: () => handle.close() };
}

/** Copies a stream to a file without a name, which is gone when it is closed, also after a crash. */
async function copied(stream: Readable): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'baton-'));
  const handle = await open(join(folder, 'input'), 'wx+', OWNER_ONLY);
  await rm(folder, { recursive: true });
  for await (const piece of stream as AsyncIterable<Uint8Array>) await handle.write(piece);
  return handle;
}
