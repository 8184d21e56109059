import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** An import or a re-export of a declaration file. */
const IMPORTED = /(?:from|import\()\s*['"]([^'"]+)['"]/g;
const ENTRY = 'index.d.ts';

/**
 * Writes the types of the producer next to each of its two bundles. TypeScript decides by the folder whether a declaration
 * file describes an ES module.
 */
export function writeDeclarations(root: string, dist: string): void {
  const all = `${dist}/types`;
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const options = ['-p', `${root}tsconfig.build.json`, '--outDir', all];
  execFileSync(process.execPath, [tsc, ...options], { stdio: 'inherit' });
  for (const file of reachable(all)) {
    for (const bundle of ['esm', 'cjs']) copy(join(all, file), join(dist, bundle, file));
  }
  rmSync(all, { recursive: true });
}

/** Imports the files that exist: TypeScript keeps the names of the sources in declarations. */
function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(
    to,
    readFileSync(from, 'utf8').replaceAll(IMPORTED, (text) => text.replace(/\.ts(?=['"])/, '.js')),
  );
}

/** Throws when the types need a package: an app that uses them would have to install it, in a version that fits. */
function reachable(folder: string, file = ENTRY, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, name = ''] of readFileSync(join(folder, file), 'utf8').matchAll(IMPORTED)) {
    if (!name.startsWith('.')) throw new Error(`the types in ${file} need the package ${name}`);
    reachable(folder, join(dirname(file), name.replace(/\.ts$/, '.d.ts')), found);
  }
  return found;
}
