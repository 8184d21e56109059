import type { FileHandle } from 'node:fs/promises';
import { addAbortSignal, Transform, type Readable, type TransformCallback } from 'node:stream';
import type { FastifyRequest, FastifyReply } from 'fastify';
import { writeAll } from '../../contacts/index.ts';
import { HttpProblem } from '../problem.ts';
import type { Socket } from 'node:net';

/** The largest body, and so the largest temporary file: 200,000 rows of more than 600 bytes. */
export const IMPORT_BYTES_MAX = 128 * 1024 * 1024;

/** Writes the body of a request to a file. Throws the reason of the signal when it is aborted. */
export async function receiveBody(request: FastifyRequest, to: FileHandle, signal: AbortSignal): Promise<void> {
  if (Number(request.headers['content-length'] ?? 0) > IMPORT_BYTES_MAX) throw bodyTooLarge();
  // A loop that ends early destroys its stream. The body itself must stay open, because its connection carries the answer.
  const limited = addAbortSignal(signal, (request.body as Readable).pipe(new ByteLimit()));
  try {
    for await (const piece of limited as AsyncIterable<Uint8Array>) await writeAll(to, piece);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

class ByteLimit extends Transform {
  private bytes = 0;

  override _transform(piece: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.bytes += piece.length;
    if (this.bytes > IMPORT_BYTES_MAX) done(bodyTooLarge());
    else done(null, piece);
  }
}

function bodyTooLarge(): HttpProblem {
  return new HttpProblem('body-too-large', {
    message: `the body is larger than ${IMPORT_BYTES_MAX} bytes; send the rows in several requests`,
    expected: `at most ${IMPORT_BYTES_MAX} bytes`,
    received: 'more',
    headers: { connection: 'close' },
  });
}

const allowed = new WeakSet<Socket>();

/** Lets the body of a request arrive for longer than other bodies. The route needs a time limit of its own. */
export function allowSlowBody({ raw: { socket } }: FastifyRequest, reply: FastifyReply): void {
  allowed.add(socket);
  // The connection may send another request afterwards.
  whenClosed(reply, () => allowed.delete(socket));
}

/** Returns true while the body of an allowed request arrives on a connection. */
export function mayBeSlow(socket: Socket): boolean {
  return allowed.has(socket);
}

/**
 * Calls back once when the response has ended or its connection is lost. A client can be gone before the route begins, and then
 * the event has passed.
 */
export function whenClosed({ raw }: FastifyReply, callback: () => void): void {
  if (raw.closed || raw.destroyed) callback();
  else raw.once('close', callback);
}

/** MongoDB forgets a cursor that nobody reads for ten minutes. */
const STALLED_MS_MAX = 5 * 60_000;

/** Breaks the connection when nothing could be sent for a long time: the reader has stopped, or the database hangs. */
export function breakWhenStalled({ raw }: FastifyReply): void {
  raw.setTimeout(STALLED_MS_MAX, () => void raw.destroy());
}
