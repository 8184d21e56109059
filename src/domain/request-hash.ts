import { createHash } from 'node:crypto';

/**
 * Hashes a request. Two requests have the same hash if they have the same fields, in any order. The producer and the
 * workers use this one function to recognise an operation id that comes again with a different request.
 */
export function requestHash(request: object): string {
  return createHash('sha256').update(canonicalJson(request)).digest('base64url');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
