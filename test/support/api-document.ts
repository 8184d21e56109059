interface Media {
  readonly schema?: { readonly $ref?: string };
  readonly example?: unknown;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly example?: unknown;
}

interface Response {
  readonly headers: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: object;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Response>>;
}

/** The parts of the OpenAPI document that tests read. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>>;
    readonly headers: Readonly<Record<string, { readonly required: boolean }>>;
  };
}

/** One operation of the document. */
export interface DocumentedRoute {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly security: Operation['security'];
  readonly parameters: readonly Parameter[];
  readonly hasBody: boolean;
  /** The name of the schema of the body in each media type. */
  readonly bodies: readonly string[];
  /** An example of the body in each media type that has one. */
  readonly examples: readonly { readonly mediaType: string; readonly value: unknown }[];
  readonly statuses: readonly string[];
  /** Of each response, by its status. */
  readonly headers: Readonly<Record<string, readonly DocumentedHeader[]>>;
}

interface DocumentedHeader {
  /** In lower case. */
  readonly name: string;
  readonly required: boolean;
}

export function documentedRoutes({ paths, components }: ApiDocument): readonly DocumentedRoute[] {
  const nameOf = ({ schema }: Media): string => schema?.$ref?.split('/').at(-1) ?? '';
  const headersOf = ({ headers }: Response): DocumentedHeader[] =>
    Object.entries(headers).map(([name, { $ref }]) => {
      const { required = false } = components.headers[$ref.split('/').at(-1) ?? ''] ?? {};
      return { name: name.toLowerCase(), required };
    });
  const exampleOf = (each: Media): unknown => each.example ?? components.schemas[nameOf(each)]?.examples?.[0];
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const { operationId, summary, security, parameters = [], requestBody, responses } = operation;
      const media = Object.entries(requestBody?.content ?? {});
      const examples = media
        .map(([mediaType, each]) => ({ mediaType, value: exampleOf(each) }))
        .filter(({ value }) => value !== undefined);
      const statuses = Object.keys(responses);
      const bodies = media.map(([, each]) => nameOf(each));
      const headers = Object.fromEntries(
        Object.entries(responses).map(([status, response]) => [status, headersOf(response)]),
      );
      const common = { operationId, path, summary, security, parameters, statuses, headers, examples, bodies };
      return { ...common, method: method.toUpperCase(), hasBody: media.length > 0 };
    }),
  );
}

/** Those of every connection and of every body, and those of CORS. */
const NOT_DOCUMENTED =
  /^(connection|keep-alive|date|content-(type|length)|transfer-encoding|vary|access-control-[a-z-]+)$/;

/** Says which headers of a response the document does not describe, and which it lacks. */
export function wrongHeaders(route: DocumentedRoute, status: number, sent: Headers): string[] {
  const documented = route.headers[status] ?? [];
  const unknown = [...sent.keys()].filter(
    (name) => !NOT_DOCUMENTED.test(name) && documented.every((each) => each.name !== name),
  );
  const missing = documented.filter(({ name, required }) => required && !sent.has(name));
  return [...unknown.map((name) => `${name} is not described`), ...missing.map(({ name }) => `${name} is missing`)];
}
