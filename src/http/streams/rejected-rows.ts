import type { FileHandle } from 'node:fs/promises';
import { jsonKeyOf, openNamelessFile, piecesOf, writeAll, type SourceRow } from '../../contacts/index.ts';

/** How much text is collected before it is written. */
const WRITTEN_CHARS_MIN = 64 * 1024;
const SEPARATOR = ',\n';

/**
 * The rejected rows of a request, in a temporary file: a client reads the answer only after it has sent its whole body. An
 * entry has the number of the row and a reason, and nothing that the row contains.
 */
export class RejectedRows {
  private readonly handle: FileHandle;
  private text = '';
  private written = Promise.resolve();

  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  static async open(): Promise<RejectedRows> {
    return new RejectedRows(await openNamelessFile());
  }

  readonly add = async ({ line }: SourceRow, reason: string, field: string | null): Promise<void> => {
    const entry = { line, field: field && jsonKeyOf(field), reason: inWordsOfTheQuery(reason) };
    this.text += SEPARATOR + JSON.stringify(entry);
    if (this.text.length >= WRITTEN_CHARS_MIN) await this.write();
  };

  /** Yields the entries as the content of a JSON array. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    await this.write();
    let isFirst = true;
    for await (const piece of piecesOf(this.handle)) {
      yield isFirst ? piece.subarray(SEPARATOR.length) : piece;
      isFirst = false;
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private write(): Promise<void> {
    const piece = Buffer.from(this.text);
    this.text = '';
    this.written = this.written.then(() => writeAll(this.handle, piece));
    return this.written;
  }
}

/** Reasons name options of the command line, such as `--shared-ids`. The query has the same ones as `sharedIds=true`. */
function inWordsOfTheQuery(reason: string): string {
  return reason.replace(/--([a-z]+)-([a-z])([a-z]+)/g, (_, first: string, initial: string, rest: string) => {
    return `${first}${initial.toUpperCase()}${rest}=true`;
  });
}
