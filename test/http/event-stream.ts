import { kindOf } from '../support/event-schemas.ts';
import { until } from '../support/until.ts';
import type { Client } from './support.ts';

/** One event as the client has received it. */
export interface Received {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A client that watches one stream of events. It compares each event with the document. */
export class EventStream {
  /** The kinds of events that the clients of this process have received. */
  static readonly kinds = new Set<string>();
  readonly response: Response;
  readonly events: Received[] = [];
  /** Comments and fields that are no event. */
  readonly others: string[] = [];
  hasEnded = false;
  private readonly path: string;
  private readonly aborting: AbortController;
  /** The error of the first event that the document does not describe. */
  private wrong: Error | undefined;

  private constructor(response: Response, path: string, aborting: AbortController) {
    this.response = response;
    this.path = path;
    this.aborting = aborting;
  }

  static async open({ address, key }: Client, path: string, lastEventId?: string): Promise<EventStream> {
    const aborting = new AbortController();
    const response = await fetch(address + path, {
      signal: aborting.signal,
      headers: {
        authorization: `Bearer ${key}`,
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      },
    });
    if (response.status !== 200) throw new Error(`the stream was refused: ${await response.text()}`);
    const stream = new EventStream(response, path, aborting);
    void stream.read();
    return stream;
  }

  get names(): string[] {
    return this.events.map(({ event }) => event);
  }

  get lastId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  /** Waits for an event with this name that `is` accepts. */
  async next(name: string, is: (data: Received['data']) => boolean = () => true): Promise<Received> {
    const found = await until(`an event ${name}`, () =>
      this.events.find((each) => each.event === name && is(each.data)),
    );
    this.requireDescribed();
    return found;
  }

  /** Throws if an event was not as the document describes it. */
  close(): void {
    this.aborting.abort();
    this.requireDescribed();
  }

  private requireDescribed(): void {
    if (this.wrong !== undefined) throw this.wrong;
  }

  private async read(): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    try {
      for await (const piece of this.response.body ?? []) {
        text += decoder.decode(piece as Uint8Array, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) this.add(block);
      }
    } catch {
      // The test or the server has cut the connection.
    }
    this.hasEnded = true;
  }

  private add(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const at = line.indexOf(': ');
        return [line.slice(0, at), line.slice(at + 2)] as const;
      }),
    );
    const event = fields.get('event');
    if (event === undefined) return void this.others.push(block);
    const sent = { event, id: fields.get('id'), data: fields.get('data') ?? '' };
    try {
      EventStream.kinds.add(kindOf(this.path, sent));
    } catch (error) {
      this.wrong = error as Error;
    }
    this.events.push({ ...sent, data: JSON.parse(sent.data) as Received['data'] });
  }
}
