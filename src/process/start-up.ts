import { EXIT_REFUSED, Refusal } from '../domain/errors.ts';
import { errorWithAdvice } from '../domain/advice.ts';
import { loggedError } from '../domain/safe-text.ts';
import type { Logger } from '../telemetry/index.ts';

const EXIT_FAILED = 1;

/** Logs why the process cannot start, in one line without values of the configuration, and ends the process. */
export function exitBeforeReady(name: string, logger: Logger, error: unknown): never {
  if (error instanceof Refusal) {
    logger.fatal({ code: error.code }, error.message);
    process.exit(EXIT_REFUSED);
  }
  const { type, code } = loggedError(error);
  logger.fatal({ type, code }, `the ${name} cannot start: ${errorWithAdvice(error)}`);
  process.exit(EXIT_FAILED);
}

/** A log whose reader has ended loses its lines. The work continues, and the process stops as usual. */
export function surviveLostLog(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

/** Node would print an error with all its fields, which contain the arguments of commands. */
export function logUncaughtErrors(logger: Logger): void {
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'an unexpected error ended the process');
    process.exit(EXIT_FAILED);
  });
}

/** The queue library prints its warnings for each connection again, as plain text in the middle of the log. */
export function logLibraryWarningsOnce(logger: Logger): void {
  const logged = new Set<string>();
  globalThis.console.warn = (...parts: readonly unknown[]) => {
    const text = parts.map(String).join(' ');
    if (logged.has(text)) return;
    logged.add(text);
    logger.warn(text);
  };
}
