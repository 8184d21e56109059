#!/usr/bin/env node
import module from 'node:module';
import { batonVersion } from './version.ts';

// Scripts ask for the version to find out whether Baton is there. Nothing else is loaded for it.
const [first, ...others] = process.argv.slice(2);
if ((first === '--version' || first === '-V') && others.length === 0) process.stdout.write(`${batonVersion()}\n`);
else {
  // Node 22 keeps the compiled code for the next command, which then needs about 40 ms less. Node 20 has no such cache.
  (module as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();
  await import('./run-main.ts');
}
