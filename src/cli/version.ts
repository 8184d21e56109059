import { createRequire } from 'node:module';

/** Imports the package by its own name, because the relative path differs between the source and the built package. */
export function batonVersion(): string {
  const { version } = createRequire(import.meta.url)('@baton-texting/baton/package.json') as { version: string };
  return version;
}
