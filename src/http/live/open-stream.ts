import type { FastifyReply, FastifyRequest } from 'fastify';
import { unavailable } from '../problem-of-error.ts';
import type { HttpServices } from '../services.ts';
import { EventSink } from './event-sink.ts';
import { parseEventId, retryText } from './event-text.ts';
import type { LiveCampaign, LiveView } from './live-campaign.ts';
import type { StreamOwner } from './live-hub.ts';
import { Watcher } from './watcher.ts';

interface Opening {
  readonly campaign: LiveCampaign;
  readonly view: LiveView;
  readonly owner: StreamOwner;
}

/**
 * Answers a request with a stream of events. Everything that can fail happens before the response begins, so that a refused
 * request has a problem document.
 */
export async function openStream(
  { live, stopping }: HttpServices,
  request: FastifyRequest,
  reply: FastifyReply,
  { campaign, view, owner }: Opening,
): Promise<never> {
  const watcher = new Watcher({ campaign, view });
  const release = campaign.hold();
  let leave = (): void => undefined;
  try {
    leave = live.enter(owner, watcher);
    const lastEventId = [request.headers['last-event-id']].flat()[0];
    const start = await watcher.open(lastEventId, parseEventId(lastEventId));
    if (stopping.signal.aborted) throw unavailable('this server');
    reply.hijack();
    const sink = new EventSink(reply.raw, headersOf(reply));
    sink.write(retryText() + start.text);
    sink.onClose(leave);
    if (start.isLast) sink.end('');
    else watcher.begin(sink);
    return undefined as never;
  } catch (error) {
    leave();
    throw error;
  } finally {
    release();
  }
}

/** The headers that hooks have set, such as those of CORS and of the limit of requests. */
function headersOf(reply: FastifyReply): Record<string, string> {
  const headers = Object.entries(reply.getHeaders()).filter(([name]) => name !== 'content-length');
  return Object.fromEntries(headers.map(([name, value]) => [name, String(value)]));
}
