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

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

/** The parts of the OpenAPI document that tests read. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly examples?: readonly unknown[] }>> };
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
}

export function documentedRoutes({ paths, components }: ApiDocument): readonly DocumentedRoute[] {
  const nameOf = ({ schema }: Media): string => schema?.$ref?.split('/').at(-1) ?? '';
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
      const common = { operationId, path, summary, security, parameters, statuses, examples, bodies };
      return { ...common, method: method.toUpperCase(), hasBody: media.length > 0 };
    }),
  );
}
