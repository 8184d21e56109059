import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The file has names and phone numbers. */
const OWNER_ONLY = 0o600;
/** Small, because the rows of one piece are read without a break, and other requests of a server wait for so long. */
const PIECE_BYTES = 16 * 1024;

/** Opens a temporary file without a name: it is gone as soon as it is closed, and also after a crash. */
export async function openNamelessFile(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'baton-'));
  try {
    return await open(join(folder, 'content'), 'wx+', OWNER_ONLY);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Reads a file from its beginning, whatever has been read or written before. `onRead` gets the number of bytes so far. */
export async function* piecesOf(handle: FileHandle, onRead?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
    onRead?.(at);
  }
}

/** Appends to a file. A system may write a part of a piece only. */
export async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length;) at += (await handle.write(piece, at)).bytesWritten;
}
