import { createRequire } from 'node:module';

/** By the package's own name: the way there is another for what is built and what is not. */
export function batonVersion(): string {
  const { version } = createRequire(import.meta.url)('baton/package.json') as { version: string };
  return version;
}
