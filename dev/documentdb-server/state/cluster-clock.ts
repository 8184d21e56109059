import { Binary, Long, Timestamp, type Document } from 'bson';

const SIGNATURE_BYTES = 20;
const SIGNATURE = { hash: new Binary(Buffer.alloc(SIGNATURE_BYTES)), keyId: Long.ZERO };

/** The logical time of the server. Each reply contains a time, so that drivers can read what they have written. */
export class ClusterClock {
  #seconds = 0;
  #increment = 0;

  /** Returns a time that is later than all previous times. */
  next(): Timestamp {
    const seconds = Math.max(this.#seconds, Math.floor(Date.now() / 1000));
    this.#increment = seconds === this.#seconds ? this.#increment + 1 : 1;
    this.#seconds = seconds;
    return new Timestamp({ t: this.#seconds, i: this.#increment });
  }

  /** The fields that MongoDB adds to each reply. */
  replyFields(): Document {
    const clusterTime = this.next();
    return { operationTime: clusterTime, $clusterTime: { clusterTime, signature: SIGNATURE } };
  }
}
