/** The parts of an OpenAPI document that this file reads. */
export interface Document {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly { readonly in: string }[];
  readonly requestBody?: { readonly required?: boolean; readonly content?: Readonly<Record<string, object>> };
  readonly responses?: Readonly<Record<string, object>>;
}

/** The media type of rows of JSON, one on each line. */
export const NDJSON = 'application/x-ndjson';

const SCHEMAS = '#/components/schemas/';
const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;
const OF_INPUT = 'Input';

/**
 * Tidies the schemas that the library has written: one for input and one for output of each. Leaves out those that nothing
 * refers to, and gives a schema of input the plain name if the schema of output is not used or says the same.
 */
export function tidySchemas(document: Document): Document {
  const { components = {}, ...rest } = document;
  const { schemas = {}, ...others } = components;
  const used = namesUsed(rest, schemas);
  const plainName = (name: string): string => {
    const plain = name.slice(0, -OF_INPUT.length);
    return name.endsWith(OF_INPUT) && (!used.has(plain) || textOf(name) === textOf(plain)) ? plain : name;
  };
  const textOf = (name: string): string => withNames(JSON.stringify(schemas[name]), plainName);
  const kept = [...used].map((name) => [plainName(name), schemas[name]] as const);
  const sorted = Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const tidied = JSON.stringify({ ...rest, components: { ...others, schemas: sorted } });
  return JSON.parse(withNames(tidied, plainName)) as Document;
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

function withNames(text: string, nameOf: (name: string) => string): string {
  return text.replaceAll(REFERENCE, (_, name: string) => `"${SCHEMAS}${nameOf(name)}"`);
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

/** Begins the parameters with those of the path: generators make the arguments of functions in this order. */
export function withPathFirst(document: Document): Document {
  const rank = (parameter: { readonly in: string }): number => (parameter.in === 'path' ? 0 : 1);
  const changed = (operation: Operation): Operation => {
    const { parameters } = operation;
    return parameters ? { ...operation, parameters: parameters.toSorted((a, b) => rank(a) - rank(b)) } : operation;
  };
  return { ...document, paths: mapValues(document.paths ?? {}, (operations) => mapValues(operations, changed)) };
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

/** Names the headers of each response. The library would describe each of them again in each response. */
export function withHeaders(
  document: Document,
  headers: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>,
): Document {
  const changed = (operation: Operation): Operation => {
    const ofStatus = headers.get(operation.operationId ?? '');
    const named = (status: string, { description, ...response }: { readonly description?: string }): object => {
      const refs = (ofStatus?.get(status) ?? []).map(
        (name) => [name, { $ref: `#/components/headers/${name}` }] as const,
      );
      return { description, headers: Object.fromEntries(refs), ...response };
    };
    const responses = Object.entries(operation.responses ?? {});
    return {
      ...operation,
      responses: Object.fromEntries(responses.map(([status, response]) => [status, named(status, response)])),
    };
  };
  return { ...document, paths: mapValues(document.paths ?? {}, (operations) => mapValues(operations, changed)) };
}

interface VariantSchema {
  readonly properties?: Readonly<Record<string, { readonly const?: string }>>;
}

interface Union {
  readonly discriminator?: { readonly propertyName: string };
  readonly oneOf?: readonly { readonly $ref?: string }[];
}

/** Says which schema of a union belongs to which value of its discriminator. The library writes the name of the field only. */
export function withMappings(document: Document): Document {
  const { schemas = {} } = document.components ?? {};
  const valueOf = (reference: string, field: string): string => {
    const schema = schemas[reference.slice(SCHEMAS.length)] as VariantSchema | undefined;
    if (!schema) throw new Error(`each schema of the union of ${field} needs a name in the document`);
    return schema.properties?.[field]?.const ?? '';
  };
  const mapped = (_: string, value: unknown): unknown => {
    const { discriminator, oneOf = [] } = (value ?? {}) as Union;
    if (!discriminator) return value;
    const { propertyName } = discriminator;
    const mapping = Object.fromEntries(
      oneOf.map(({ $ref = '' }): [string, string] => [valueOf($ref, propertyName), $ref]),
    );
    return { ...(value as object), discriminator: { propertyName, mapping } };
  };
  return JSON.parse(JSON.stringify(document), mapped) as Document;
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
