import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { whenClosed } from './when-closed.ts';

const allowed = new WeakSet<Socket>();

/** Lets the body of a request arrive for longer than other bodies. The route needs a time limit of its own. */
export function allowSlowBody({ raw: { socket } }: FastifyRequest, reply: FastifyReply): void {
  allowed.add(socket);
  // The connection may send another request afterwards.
  whenClosed(reply, () => allowed.delete(socket));
}

/** Returns true while the body of an allowed request arrives on a connection. */
export function mayBeSlow(socket: Socket): boolean {
  return allowed.has(socket);
}
