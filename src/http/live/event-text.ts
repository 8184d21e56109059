import type { Position } from '../../events/index.ts';

/** Clients reconnect after 2 to 5 seconds, so that those of a server that stops do not come back together. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_SPREAD = 3_000;

export interface LiveEvent {
  readonly event: string;
  readonly data: object;
  /** The client continues after this position. An event without one is not in the stream of changes. */
  readonly position?: Position;
}

/** Writes one server-sent event. JSON has no line breaks. */
export function eventText({ event, data, position }: LiveEvent): string {
  const id = position ? `id: ${eventIdOf(position)}\n` : '';
  return `event: ${event}\n${id}data: ${JSON.stringify(data)}\n\n`;
}

export function retryText(): string {
  return `retry: ${RETRY_MS_MIN + Math.floor(Math.random() * RETRY_MS_SPREAD)}\n\n`;
}

/** A comment, which shows the client and every proxy that the connection works. */
export const HEARTBEAT = ':\n\n';

export function eventIdOf({ id, version }: Position): string {
  return `${id}:${version}`;
}

const EVENT_ID = /^(\d{1,16}-\d{1,16}):(\d{1,16})$/;

/** Reads the `Last-Event-ID` of a client. `undefined` for a text that {@link eventIdOf} has not written. */
export function parseEventId(text: string | undefined): Position | undefined {
  const [, id, version] = EVENT_ID.exec(text ?? '') ?? [];
  return id === undefined ? undefined : { id, version: Number(version) };
}
