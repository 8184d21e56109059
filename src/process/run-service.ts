import { readConfig, type Config } from '../config.ts';
import { EXIT_REFUSED, type Refusal } from '../domain/errors.ts';
import { databaseNameIn } from '../mongo/mongodb-address.ts';
import { createLogger, type Logger } from '../telemetry/index.ts';
import { exitBeforeReady, logLibraryWarningsOnce, logUncaughtErrors, surviveLostLog } from './start-up.ts';
import type { StopSignals } from './stop-signals.ts';

/** The work of a process, from its start to its end. */
export interface Service {
  /** Resolves when the service works. */
  readonly ready: Promise<void>;
  /** Resolves when the service must not continue. The caller then closes it. */
  readonly lost: Promise<Refusal>;
  /** Ends the work in progress. `timed-out`: it was cut off. */
  close(): Promise<'closed' | 'timed-out'>;
}

export interface Program {
  /** As log lines call the process: "worker". */
  readonly name: string;
  start(config: Config, logger: Logger): Promise<Service>;
}

/** Runs a service until a signal stops it, and then ends the process. Resolves when the service is ready. */
export async function runService(program: Program, signals: StopSignals, env: NodeJS.ProcessEnv): Promise<void> {
  const { name } = program;
  let logger = createLogger({ level: 'info' });
  let service: Service | undefined;
  logUncaughtErrors(logger);
  surviveLostLog();

  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info({ signal }, `${name} stopping`);
    // Without a service there is nothing to finish: it may still be waiting for Redis or MongoDB.
    const outcome = (await service?.close()) ?? 'closed';
    logger.info({ outcome }, `${name} stopped`);
    process.exit(outcome === 'closed' ? 0 : 1);
  };
  const endRefused = async ({ code, message }: Refusal): Promise<void> => {
    if (signals.isStopping) return;
    logger.fatal({ code }, message);
    await service?.close();
    process.exit(EXIT_REFUSED);
  };
  signals.onStop((signal) => void stop(signal));

  try {
    const config = readConfig(env);
    logger = createLogger(config.log);
    logLibraryWarningsOnce(logger);
    service = await program.start(config, logger);
    void service.lost.then((refusal) => endRefused(refusal));
    await service.ready;
    if (!signals.isStopping) logger.info({ database: databaseNameIn(config.mongo.uri) }, `${name} ready`);
  } catch (error) {
    if (!signals.isStopping) exitBeforeReady(name, logger, error);
  }
}
