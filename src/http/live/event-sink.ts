import type { ServerResponse } from 'node:http';

/** What a client has not read yet is kept up to this size. */
const BUFFER_BYTES_MAX = 32 * 1024;
/** A client that reads nothing for this time is cut off. */
const SLOW_MS_MAX = 30_000;
/** How long the last event of a stream may take. */
const END_MS_MAX = 1_000;

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const;

/** The response to one client, which stays open. */
export class EventSink {
  private readonly response: ServerResponse;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.response = response;
    response.writeHead(200, { ...headers, ...STREAM_HEADERS });
    response.on('error', () => undefined);
  }

  get isClosed(): boolean {
    return this.response.writableEnded || this.response.destroyed;
  }

  /** True when the client has not read what was sent before. */
  get isFull(): boolean {
    return this.response.writableLength > BUFFER_BYTES_MAX;
  }

  write(text: string | Buffer): void {
    if (!this.isClosed) this.response.write(text);
  }

  /** Resolves when the client has read what was sent, or has gone. Cuts off a client that reads nothing. */
  async drained(): Promise<void> {
    if (!this.isFull) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.response.destroy(), SLOW_MS_MAX);
      const end = (): void => {
        clearTimeout(timer);
        this.response.off('drain', end).off('close', end);
        resolve();
      };
      this.response.on('drain', end).on('close', end);
    });
  }

  /** Sends the last event. A client that does not take it is cut off. */
  end(text: string): void {
    if (this.isClosed) return;
    this.response.end(text);
    const timer = setTimeout(() => this.response.destroy(), END_MS_MAX);
    this.response.on('close', () => clearTimeout(timer));
  }

  onClose(listener: () => void): void {
    if (this.response.destroyed) listener();
    else this.response.on('close', listener);
  }
}
