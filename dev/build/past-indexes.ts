import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

const SOURCE = /\/(?:src|workers)\/.*\.ts$/;
/** `import { a, type B } from '../subject/index.ts'`. An `import type` is erased anyway. */
const IMPORT = /^import \{([^}]*)\} from '(\.[^']*\/index\.ts)';$/gm;
const EXPORT = /^export \{([^}]*)\} from '(\.[^']*)';$/gm;

interface Name {
  readonly name: string;
  readonly as: string;
}

/**
 * Imports from the file that has a name, instead of from the index of its subject. An index names every store of a subject, and
 * esbuild splits code by files: with indexes, each command would load the driver of the database, even for its help.
 */
export const pastIndexes: Plugin = {
  name: 'past-indexes',
  setup(builder) {
    const indexes = new Map<string, ReadonlyMap<string, { readonly file: string; readonly name: string }>>();
    builder.onLoad({ filter: SOURCE }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const contents = text.replace(IMPORT, (_import, names: string, from: string) => {
        const index = resolve(dirname(path), from);
        const exported = indexes.get(index) ?? readIndex(index);
        indexes.set(index, exported);
        return valuesIn(names)
          .map((each) => importOf(each, exported.get(each.name), path, from))
          .join(' ');
      });
      return { contents, loader: 'ts' };
    });
  },
};

function readIndex(index: string): ReadonlyMap<string, { readonly file: string; readonly name: string }> {
  const text = readFileSync(index, 'utf8');
  const exported = [...text.matchAll(EXPORT)].flatMap(([, names = '', from = '']) =>
    valuesIn(names).map(({ name, as }) => [as, { file: resolve(dirname(index), from), name }] as const),
  );
  return new Map(exported);
}

function importOf(
  { name, as }: Name,
  found: { readonly file: string; readonly name: string } | undefined,
  importer: string,
  from: string,
): string {
  if (found === undefined) return `import { ${name} as ${as} } from '${from}';`;
  return `import { ${found.name} as ${as} } from './${relative(dirname(importer), found.file)}';`;
}

/** The names of a list in braces, without types. */
function valuesIn(list: string): readonly Name[] {
  const names = list.split(',').map((each) => each.trim());
  return names.flatMap((each) => {
    if (each === '' || each.startsWith('type ')) return [];
    const [name = '', as = name] = each.split(' as ');
    return [{ name, as }];
  });
}
