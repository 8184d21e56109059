/** Both protocols, MongoDB's and PostgreSQL's, say a message's length in its first bytes; this cuts a stream by it. */

export interface FrameLayout {
  /** Where the little- or big-endian 32-bit length stands. */
  lengthAt: number;
  bigEndian: boolean;
  /** Bytes of a message the length does not count. */
  uncounted: number;
  bytesMin: number;
  bytesMax: number;
}

export class FrameError extends Error {}

const LENGTH_BYTES = 4;

/** Keeps chunks apart until a whole message is there, so that a large message is joined once and not once per chunk. */
export class Frames {
  readonly #layout: FrameLayout;
  #chunks: Buffer[] = [];
  #held = 0;
  #wanted: number;

  constructor(layout: FrameLayout) {
    this.#layout = layout;
    this.#wanted = layout.lengthAt + LENGTH_BYTES;
  }

  /** The whole messages that `chunk` completes. Throws FrameError on a length outside the layout's bounds. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return [];
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    const frames: Buffer[] = [];
    for (let size = this.#sizeOf(rest); size <= rest.length; size = this.#sizeOf(rest)) {
      frames.push(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return frames;
  }

  #sizeOf(bytes: Buffer): number {
    const { lengthAt, bigEndian, uncounted, bytesMin, bytesMax } = this.#layout;
    if (bytes.length < lengthAt + LENGTH_BYTES) {
      this.#wanted = lengthAt + LENGTH_BYTES;
      return Infinity;
    }
    const size = uncounted + (bigEndian ? bytes.readInt32BE(lengthAt) : bytes.readInt32LE(lengthAt));
    if (size < bytesMin || size > bytesMax)
      throw new FrameError(`message of ${size} bytes, expected ${bytesMin} to ${bytesMax}`);
    this.#wanted = size;
    return size;
  }
}
