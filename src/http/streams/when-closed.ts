import type { FastifyReply } from 'fastify';

/**
 * Calls back once when the response has ended or its connection is lost. A client can be gone before the route begins, and then
 * the event has passed.
 */
export function whenClosed({ raw }: FastifyReply, callback: () => void): void {
  if (raw.closed || raw.destroyed) callback();
  else raw.once('close', callback);
}
