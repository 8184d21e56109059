import { serializerCompiler as compile } from 'fastify-type-provider-zod';

/** The texts of bodies that several callers get; `null` before the first of them. */
const texts = new WeakMap<object, string | null>();

/**
 * Returns a function that makes the body of a response from a shared answer: once, however many callers get it. The body is
 * checked and written as JSON once too, so nothing may change it, and only one route may send it.
 */
export function oncePerAnswer<Answer extends object, Body extends object>(
  make: (answer: Answer) => Body,
): (answer: Answer) => Body {
  const bodies = new WeakMap<Answer, Body>();
  return (answer) => {
    const known = bodies.get(answer);
    if (known) return known;
    const body = make(answer);
    bodies.set(answer, body);
    texts.set(body, null);
    return body;
  };
}

/** Writes the body of a response by the schema of its route. Keeps the text of a shared body. */
export const serializerCompiler: typeof compile = (route) => {
  const serialize = compile(route);
  return (body: unknown) => {
    const isShared = typeof body === 'object' && body !== null && texts.has(body);
    if (!isShared) return serialize(body);
    const text = texts.get(body) ?? serialize(body);
    texts.set(body, text);
    return text;
  };
};
