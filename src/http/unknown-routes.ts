import { HttpProblem } from './problem.ts';

/** Knows which methods each path has. */
export class KnownPaths {
  private readonly declared = new Map<string, Set<string>>();

  add(path: string, method: string | readonly string[]): void {
    this.declared.set(path, new Set([...(this.declared.get(path) ?? []), ...[method].flat()]));
  }

  /** Returns the problem of a request that no route takes: its path has only other methods, or is unknown. */
  problemOf(url: string): HttpProblem {
    const path = pathOf(url);
    const methods = new Set(
      [...this.declared].flatMap(([shape, ofShape]) => (hasShape(path, shape) ? [...ofShape] : [])),
    );
    return methods.size > 0 ? methodNotAllowed([...methods].join(', ')) : unknownPath();
  }
}

/** Returns the path of a URL as the router sees it: without the host, and with percent-encoded characters decoded. */
function pathOf(url: string): string {
  const [path = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/);
  try {
    return decodeURI(path);
  } catch {
    // No route has such a path.
    return path;
  }
}

/** Returns true when each part of a path is equal to the part of a shape, or takes the place of its parameter. */
function hasShape(path: string, shape: string): boolean {
  const [parts, places] = [path.split('/'), shape.split('/')];
  return parts.length === places.length && places.every((place, at) => place.startsWith(':') || place === parts[at]);
}

function methodNotAllowed(allow: string): HttpProblem {
  return new HttpProblem('method-not-allowed', {
    message: `this path has only the methods ${allow}`,
    expected: allow,
    received: 'another method',
    headers: { allow },
  });
}

function unknownPath(): HttpProblem {
  return new HttpProblem('not-found', {
    message: 'no route has this path; /openapi.json lists the routes',
    expected: 'a path of the API',
    received: 'another path',
  });
}
