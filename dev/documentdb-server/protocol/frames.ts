/** Splits a stream into messages. In MongoDB's and in PostgreSQL's protocol, a message starts with its length. */

export interface FrameLayout {
  /** The offset of the 32-bit length. */
  lengthAt: number;
  bigEndian: boolean;
  /** The bytes of a message that its length does not include. */
  uncounted: number;
  bytesMin: number;
  bytesMax: number;
}

export class FrameError extends Error {}

const LENGTH_BYTES = 4;

/** Joins received buffers only when a message is complete, so that a large message is copied once. */
export class Frames {
  readonly #layout: FrameLayout;
  #buffers: Buffer[] = [];
  #bufferedBytes = 0;
  #neededBytes: number;

  constructor(layout: FrameLayout) {
    this.#layout = layout;
    this.#neededBytes = layout.lengthAt + LENGTH_BYTES;
  }

  /** Returns the messages that `received` completes. Throws FrameError when a length is outside the limits. */
  push(received: Buffer): Buffer[] {
    this.#buffers.push(received);
    this.#bufferedBytes += received.length;
    if (this.#bufferedBytes < this.#neededBytes) return [];
    let rest = this.#buffers.length === 1 ? received : Buffer.concat(this.#buffers, this.#bufferedBytes);
    const frames: Buffer[] = [];
    for (let size = this.#sizeOf(rest); size <= rest.length; size = this.#sizeOf(rest)) {
      frames.push(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    this.#buffers = rest.length > 0 ? [rest] : [];
    this.#bufferedBytes = rest.length;
    return frames;
  }

  #sizeOf(bytes: Buffer): number {
    const { lengthAt, bigEndian, uncounted, bytesMin, bytesMax } = this.#layout;
    if (bytes.length < lengthAt + LENGTH_BYTES) {
      this.#neededBytes = lengthAt + LENGTH_BYTES;
      return Infinity;
    }
    const size = uncounted + (bigEndian ? bytes.readInt32BE(lengthAt) : bytes.readInt32LE(lengthAt));
    if (size < bytesMin || size > bytesMax)
      throw new FrameError(`the message claims ${size} bytes; ${bytesMin} to ${bytesMax} are allowed`);
    this.#neededBytes = size;
    return size;
  }
}
