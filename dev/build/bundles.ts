import { readFileSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { build, type BuildOptions, type ImportKind, type Metafile, type Plugin } from 'esbuild';
import { pastIndexes } from './past-indexes.ts';

/** The oldest Node of `engines` in package.json. */
const TARGET = 'node20.19';

const COMMON = {
  bundle: true,
  platform: 'node',
  target: TARGET,
  // Names of functions and classes stay readable in stack traces.
  keepNames: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  // BullMQ has an ES module build too, of which only the used parts are taken.
  mainFields: ['module', 'main'],
} as const satisfies BuildOptions;

/** Packages that the MongoDB driver uses when a deployment has installed them. */
const OPTIONAL_PACKAGES = [
  '@aws-sdk/credential-providers',
  '@mongodb-js/zstd',
  'aws4',
  'gcp-metadata',
  'kerberos',
  'mongodb-client-encryption',
  'snappy',
  'socks',
];

/**
 * Bundles what upstream apps import, once as an ES module and once for `require`. Returns the names of the bundled files.
 * The two files contain the client of Redis, which is CommonJS: an app that bundles it into an ES module would fail at the
 * first `require` of a module of Node.
 */
export async function bundleProducer(root: string, dist: string): Promise<readonly string[]> {
  const options = { ...COMMON, absWorkingDir: root, entryPoints: ['src/index.ts'] };
  const esm = await build({
    ...options,
    format: 'esm',
    outfile: `${dist}/esm/index.js`,
    plugins: [nodeModules(['require-call']), englishOnly],
  });
  // In CommonJS, an `import` becomes a `require` too.
  const cjs = await build({
    ...options,
    format: 'cjs',
    outfile: `${dist}/cjs/index.js`,
    plugins: [nodeModules(['require-call', 'import-statement']), englishOnly],
  });
  writeFileSync(`${dist}/cjs/package.json`, '{ "type": "commonjs" }\n');
  return [...inputsOf(esm.metafile), ...inputsOf(cjs.metafile)];
}

/**
 * Bundles the command line, the HTTP server and the worker, which share code. Node loads a few files faster than hundreds,
 * and code that is imported dynamically, such as the database driver in the command line, only when it is needed.
 */
export async function bundlePrograms(root: string, dist: string): Promise<readonly string[]> {
  const { metafile } = await build({
    ...COMMON,
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts', 'src/http/main.ts', 'workers/main.ts'],
    outbase: root,
    outdir: dist,
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    splitting: true,
    external: OPTIONAL_PACKAGES,
    plugins: [englishOnly, pastIndexes],
    banner: { js: REQUIRE },
  });
  return inputsOf(metafile);
}

/** Bundles the programs into a folder from which they run: it is a package, because they read its version. */
export async function bundleRunnable(root: string, folder: string): Promise<void> {
  await bundlePrograms(root, folder);
  const { name, version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<string, unknown>;
  const exports = { './package.json': './package.json' };
  writeFileSync(`${folder}/package.json`, JSON.stringify({ name, version, type: 'module', exports }));
}

/** An ES module has no `require`, which the bundled CommonJS packages use for modules of Node and for optional packages. */
const REQUIRE =
  "import { createRequire as createRequireOfChunk } from 'node:module'; const require = createRequireOfChunk(import.meta.url);";

/**
 * Loads the modules of Node without `require`, for these kinds of import. Another bundler can bundle the result again, in either format:
 * `require` would be missing in an ES module, and `import.meta` in CommonJS.
 */
const nodeModules = (kinds: readonly ImportKind[]): Plugin => ({
  name: 'node-modules',
  setup(builder) {
    builder.onResolve({ filter: /.*/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, '');
      const isOfNode = kinds.includes(kind) && builtinModules.includes(name);
      return isOfNode ? { path: name, namespace: 'node-module' } : undefined;
    });
    builder.onLoad({ filter: /.*/, namespace: 'node-module' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule('node:${path}');`,
    }));
  },
});

/** Leaves out zod's messages in fifty languages, which are most of its code. It imports the English ones by themselves. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup(builder) {
    builder.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: '' }));
  },
};

function inputsOf({ inputs }: Metafile): readonly string[] {
  return Object.keys(inputs);
}
