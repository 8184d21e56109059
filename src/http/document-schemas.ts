/** The parts of an OpenAPI document that this file reads. */
export interface Document {
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;

/** Leaves out the schemas that nothing refers to. The library writes one for input and one for output of each. */
export function withoutUnused(document: Document): Document {
  const { components = {}, ...rest } = document;
  const { schemas = {}, ...others } = components;
  const used = new Set<string>();
  const open = namesIn(rest);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (used.has(name)) continue;
    used.add(name);
    open.push(...namesIn(schemas[name]));
  }
  const kept = Object.entries(schemas).filter(([name]) => used.has(name));
  return { ...rest, components: { ...others, schemas: Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))) } };
}

function namesIn(part: unknown): string[] {
  return [...JSON.stringify(part ?? null).matchAll(REFERENCE)].map(([, name = '']) => name);
}
