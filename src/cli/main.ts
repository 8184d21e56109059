#!/usr/bin/env node
import { runCli } from './program.ts';
import { EXIT_FAILED } from './session.ts';

// Whoever reads our answer may have read enough: `baton export | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : EXIT_FAILED));

const { env, stdin, stdout, stderr } = process;
const status = await runCli(process.argv.slice(2), { env, stdin, stdout, stderr });
// A connection that will not close must not keep an answer from being the last word.
stdout.write('', () => process.exit(status));
