/** Runs the command line of this process, and ends the process. */
import { errorText } from '../domain/safe-text.ts';
import { EXIT_DONE, EXIT_FAILED } from './errors.ts';
import { runCli } from './program.ts';

// In `baton export | head`, head closes the pipe as soon as it has read enough: that is no failure.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) =>
  process.exit(code === 'EPIPE' ? EXIT_DONE : EXIT_FAILED),
);

// Node would print an error with all its fields, which contain the arguments of commands.
process.on('uncaughtException', (error) => {
  process.stderr.write(`baton: failed: ${errorText(error)}\n`);
  process.exit(EXIT_FAILED);
});

const { env, stdin, stdout, stderr } = process;
const status = await runCli(process.argv.slice(2), { env, stdin, stdout, stderr });
// Exits after the output is written, even if a connection does not close.
stdout.write('', () => process.exit(status));
