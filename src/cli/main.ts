#!/usr/bin/env node
import { batonVersion } from './version.ts';

// Scripts ask for the version to find out whether Baton is there. Nothing else is loaded for it.
const [first, ...others] = process.argv.slice(2);
if ((first === '--version' || first === '-V') && others.length === 0) process.stdout.write(`${batonVersion()}\n`);
else await import('./run-main.ts');
