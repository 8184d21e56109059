import { z } from 'zod';
import type { Position } from '../../events/index.ts';
import type { DataOf, StreamEvents } from './event-shapes.ts';

/** Clients reconnect after 2 to 5 seconds, so that those of a server that stops do not come back together. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_SPREAD = 3_000;

/**
 * Returns a function that writes one server-sent event. JSON has no line breaks, so the data is one line. `position`: where the
 * client continues after a lost connection; absent for events that are not in the stream of changes.
 */
export function eventWriter<Events extends StreamEvents<keyof Events>>(events: Events) {
  return <Name extends keyof Events & string>(name: Name, data: DataOf<Events, Name>, position?: Position): string => {
    const id = position ? `id: ${eventIdOf(position)}\n` : '';
    const json = JSON.stringify(z.encode(events[name].data, data));
    return `event: ${name}\n${id}data: ${json}\n\n`;
  };
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
