import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { App } from './app-type.ts';
import { sendProblem, toDocument } from './error-handler.ts';
import { HttpProblem } from './problem.ts';
import { problemOf } from './problem-of-error.ts';

const METHODS: readonly HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The methods of each path, as the routes have declared them. */
const declared = new WeakMap<object, Map<string, Set<string>>>();

export function answerUnknownRoute(request: FastifyRequest, reply: FastifyReply): void {
  const problem = new HttpProblem('not-found', {
    message: 'no route has this path; /openapi.json lists the routes',
    expected: 'a path of the API',
    received: 'another path',
  });
  void reply.status(problem.status);
  sendProblem(reply, toDocument(problemOf(problem), request.id));
}

/** Remembers the methods of a path. */
export function noteMethods(app: object, url: string, method: string | readonly string[]): void {
  const paths = declared.get(app) ?? new Map<string, Set<string>>();
  declared.set(app, paths);
  paths.set(url, new Set([...(paths.get(url) ?? []), ...[method].flat()]));
}

/**
 * Answers the other methods of each path with 405 and the list of its methods. A path such as `operations/preview` also has
 * the methods of `operations/:operationId`, because an operation can have the id `preview`.
 */
export function addMethodNotAllowed(app: App): void {
  const paths = [...(declared.get(app) ?? [])];
  for (const [url] of paths) {
    const methods = new Set(paths.flatMap(([shape, ofShape]) => (hasShape(url, shape) ? [...ofShape] : [])));
    const others = METHODS.filter((method) => !methods.has(method));
    const allow = [...methods].join(', ');
    app.route({
      method: others,
      url,
      schema: { hide: true },
      config: { access: { for: 'anyone' } },
      handler: () => {
        throw new HttpProblem('method-not-allowed', {
          message: `this path has only the methods ${allow}`,
          expected: allow,
          received: 'another method',
          headers: { allow },
        });
      },
    });
  }
}

/** Returns true when each part of a path is equal to the part of a shape, or takes the place of its parameter. */
function hasShape(url: string, shape: string): boolean {
  const [parts, places] = [url.split('/'), shape.split('/')];
  return parts.length === places.length && places.every((place, at) => place.startsWith(':') || place === parts[at]);
}
