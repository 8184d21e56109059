interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, Media>> };
  readonly responses?: Readonly<Record<string, { readonly description?: string }>>;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly description?: string }[];
}

interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
}

interface Schema {
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
}

/** The parts of the OpenAPI document that the page shows. */
export interface ShownDocument {
  readonly info: { readonly title: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222}' +
  'pre,code{font:14px ui-monospace,monospace;background:#f4f4f2}pre{padding:.6rem;overflow:auto}' +
  'section{border-top:1px solid #ccc;padding:.6rem 0}dt{font-weight:600}dd{margin:0 0 .3rem 1rem}';

/** Writes the document as a page for people: one section for each route, with an example of its body. */
export function pageOf(document: ShownDocument): string {
  const { info, paths = {} } = document;
  const sections = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => sectionOf(document, `${method} ${path}`, operation)),
  );
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(info.title)}</title>`;
  const intro = `<h1>${escaped(info.title)}</h1><p>${escaped(info.description ?? '')}</p>`;
  const link = '<p><a href="/openapi.json">The document for programs</a></p>';
  return `<!doctype html><html lang="en"><head>${head}<style>${STYLE}</style></head><body>${intro}${link}${sections.join('')}</body></html>`;
}

function sectionOf(document: ShownDocument, title: string, operation: Operation): string {
  const { summary = '', parameters = [], responses = {} } = operation;
  const example = exampleOf(document, operation);
  const inputs = parameters.map(({ name, in: place, description = '' }) => entry(`${name} (${place})`, description));
  const answers = Object.entries(responses).map(([status, { description = '' }]) => entry(status, description));
  const body = example === undefined ? '' : `<pre>${escaped(JSON.stringify(example, null, 2))}</pre>`;
  const heading = `<h2><code>${escaped(title)}</code></h2><p>${escaped(summary)}</p>`;
  return `<section>${heading}${body}<dl>${inputs.join('')}${answers.join('')}</dl></section>`;
}

function exampleOf({ components }: ShownDocument, { requestBody }: Operation): unknown {
  const [{ schema, example } = {}] = Object.values(requestBody?.content ?? {});
  const name = schema?.$ref?.split('/').at(-1) ?? '';
  return example ?? components?.schemas?.[name]?.examples?.[0];
}

function entry(term: string, text: string): string {
  return `<dt>${escaped(term)}</dt><dd>${escaped(text)}</dd>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
