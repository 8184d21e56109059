import { readConfig } from '../src/config.ts';
import { EXIT_REFUSED, type Refusal } from '../src/domain/errors.ts';
import { databaseNameIn } from '../src/mongo/mongodb-address.ts';
import { createLogger } from '../src/telemetry/index.ts';
import { startService, type Service } from './service.ts';
import { exitBeforeReady, logUncaughtErrors, surviveLostLog } from './start-up.ts';
import type { StopSignals } from './stop-signals.ts';

/** Runs a worker until a signal stops it, and then ends the process. Resolves when the worker is ready. */
export async function runWorker(signals: StopSignals, env: NodeJS.ProcessEnv): Promise<void> {
  let logger = createLogger({ level: 'info' });
  let service: Service | undefined;
  logUncaughtErrors(logger);
  surviveLostLog();

  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info({ signal }, 'worker stopping');
    // Without a service there is no job to return: the worker may still be waiting for Redis or MongoDB.
    const outcome = (await service?.close()) ?? 'closed';
    logger.info({ outcome }, 'worker stopped');
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
    service = await startService(config, logger);
    void service.lost.then((refusal) => endRefused(refusal));
    await service.ready;
    if (!signals.isStopping) logger.info({ database: databaseNameIn(config.mongo.uri) }, 'worker ready');
  } catch (error) {
    if (!signals.isStopping) exitBeforeReady(logger, error);
  }
}
