import { readFileSync } from 'node:fs';
import { z } from 'zod';

const DEFINITIONS = '#/$defs/';

interface Property {
  readonly const?: string;
  readonly contentSchema?: { readonly $ref: string };
}

interface EventSchema {
  readonly oneOf?: readonly { readonly $ref: string }[];
  readonly properties?: Readonly<Record<string, Property>>;
}

interface StreamsDocument {
  readonly paths: Readonly<
    Record<
      string,
      {
        readonly get?: {
          readonly operationId: string;
          readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
        };
      }
    >
  >;
  readonly components: { readonly schemas: Readonly<Record<string, EventSchema>> };
}

interface Media {
  readonly schema: { readonly anyOf?: readonly { readonly $ref?: string }[] };
}

/** An event as it was sent. */
export interface SentEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** One kind of event of the document. */
interface DescribedEvent {
  readonly name: string;
  readonly whole: z.ZodType;
  readonly data: z.ZodType;
}

/** A stream of the document, with the kinds of its events. */
interface DescribedStream {
  readonly operationId: string;
  readonly path: RegExp;
  readonly events: readonly DescribedEvent[];
}

/** Reads from the document what each stream sends. */
function describedStreams(): readonly DescribedStream[] {
  const text = readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8');
  const document = JSON.parse(text.replaceAll('#/components/schemas/', DEFINITIONS)) as StreamsDocument;
  const { schemas } = document.components;
  const schemaOf = ($ref: string): z.ZodType => z.fromJSONSchema({ $ref, $defs: schemas } as never);
  const named = ($ref = ''): EventSchema => schemas[$ref.slice(DEFINITIONS.length)] ?? {};
  return Object.entries(document.paths).flatMap(([path, { get }]) => {
    const { anyOf = [] } = get?.responses['200']?.content?.['text/event-stream']?.schema ?? {};
    const variants = named(anyOf.find(({ $ref }) => $ref !== undefined)?.$ref).oneOf ?? [];
    if (!get || variants.length === 0) return [];
    const events = variants.map(({ $ref }) => {
      const { event, data } = named($ref).properties ?? {};
      const contentSchema = data?.contentSchema?.$ref ?? '';
      return { name: event?.const ?? '', whole: schemaOf($ref), data: schemaOf(contentSchema) };
    });
    const pattern = path.replaceAll(/\{\w+\}/g, '[^/]+');
    return [{ operationId: get.operationId, path: new RegExp(`^${pattern}$`), events }];
  });
}

const STREAMS = describedStreams();

/** Every kind of event that the document describes, with its stream: `watchCampaign changes`. */
export const EVENT_KINDS: readonly string[] = STREAMS.flatMap(({ operationId, events }) =>
  events.map(({ name }) => `${operationId} ${name}`),
);

/** Returns which kind of event was sent on the stream with this path. Throws if it is not as the document describes it. */
export function kindOf(path: string, sent: SentEvent): string {
  const stream = STREAMS.find((each) => each.path.test(path));
  const described = stream?.events.find(({ name }) => name === sent.event);
  if (!stream || !described) throw new Error(`the document has no event ${sent.event} of ${path}`);
  const { id, ...fields } = sent;
  described.whole.parse({ ...fields, ...(id !== undefined && { id }) });
  described.data.parse(JSON.parse(sent.data));
  return `${stream.operationId} ${described.name}`;
}
