/** The parts of an OpenAPI document that this file reads. */
export interface Document {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

interface Operation {
  readonly operationId?: string;
  readonly requestBody?: { readonly required?: boolean; readonly content?: Readonly<Record<string, object>> };
}

/** The media type of rows of JSON, one on each line. */
export const NDJSON = 'application/x-ndjson';

const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;
const OF_INPUT = 'Input';

/**
 * Tidies the schemas that the library has written: one for input and one for output of each. Leaves out those that nothing
 * refers to, and gives a schema of input the plain name if the schema of output is not used.
 */
export function tidySchemas(document: Document): Document {
  const { components = {}, ...rest } = document;
  const { schemas = {}, ...others } = components;
  const used = namesUsed(rest, schemas);
  const plainName = (name: string): string => {
    const plain = name.slice(0, -OF_INPUT.length);
    return name.endsWith(OF_INPUT) && !used.has(plain) ? plain : name;
  };
  const kept = [...used].map((name) => [plainName(name), schemas[name]] as const);
  const sorted = Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return renamed({ ...rest, components: { ...others, schemas: sorted } }, plainName);
}

function namesUsed(rest: object, schemas: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const used = new Set<string>();
  const open = namesIn(rest);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (used.has(name)) continue;
    used.add(name);
    open.push(...namesIn(schemas[name]));
  }
  return used;
}

function namesIn(part: unknown): string[] {
  return [...JSON.stringify(part ?? null).matchAll(REFERENCE)].map(([, name = '']) => name);
}

function renamed(document: Document, plainName: (name: string) => string): Document {
  const text = JSON.stringify(document);
  return JSON.parse(
    text.replaceAll(REFERENCE, (_, name: string) => `"#/components/schemas/${plainName(name)}"`),
  ) as Document;
}

/** Says of these operations that they need no body. The library requires the body of each operation that can have one. */
export function withOptionalBodies(document: Document, operationIds: ReadonlySet<string>): Document {
  const changed = (operation: Operation): Operation => {
    const { operationId = '', requestBody } = operation;
    return operationIds.has(operationId)
      ? { ...operation, requestBody: { ...requestBody, required: false } }
      : operation;
  };
  const paths = mapValues(document.paths ?? {}, (operations) => mapValues(operations, changed));
  return { ...document, paths };
}

/** Describes what a line of NDJSON is. The library describes a body in each media type as the same list. */
export function withLines(document: Document): Document {
  const { schemas = {} } = document.components ?? {};
  const lineOf = (content: Readonly<Record<string, object>>): object => {
    const [, name = ''] = /schemas\/([^"]+)"/.exec(JSON.stringify(content[NDJSON])) ?? [];
    const { items } = (schemas[name] ?? {}) as { readonly items?: object };
    return { schema: { ...items, description: 'One line. Each line of the body is such an object.' } };
  };
  const changed = (operation: Operation): Operation => {
    const { content } = operation.requestBody ?? {};
    if (!content?.[NDJSON]) return operation;
    return {
      ...operation,
      requestBody: { ...operation.requestBody, content: { ...content, [NDJSON]: lineOf(content) } },
    };
  };
  return { ...document, paths: mapValues(document.paths ?? {}, (operations) => mapValues(operations, changed)) };
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
