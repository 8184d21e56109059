import type { FastifyRequest } from 'fastify';
import { HttpProblem } from './problem.ts';
import type { KeyCaller } from './authenticate.ts';

/** Returns the app that sent the request. Routes for keys have one. */
export function callerOf({ caller }: FastifyRequest): KeyCaller {
  if (caller) return caller;
  const details = { expected: 'a route for keys', received: 'another route' };
  throw new HttpProblem('internal-error', { message: 'the route is not declared for keys', ...details });
}

/** Names who makes a change: the key, and the person whom the app has named. */
export function actorOf(request: FastifyRequest, actorId?: string): string {
  const key = `key:${callerOf(request).keyId}`;
  return actorId === undefined ? key : `${key}/${actorId}`;
}
