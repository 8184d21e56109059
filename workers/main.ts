import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/telemetry/index.ts';
import { startService } from './service.ts';
import { exitBeforeReady, logUncaughtErrors, surviveLostLog } from './start-up.ts';

let logger = createLogger({ level: 'info' });
logUncaughtErrors(logger);
surviveLostLog();

async function start(): ReturnType<typeof startService> {
  const config = readConfig(process.env);
  logger = createLogger(config.log);
  const service = await startService(config, logger);
  await service.ready;
  return service;
}

const service = await start().catch((error: unknown) => exitBeforeReady(logger, error));
logger.info('worker ready');

async function stop(signal: NodeJS.Signals): Promise<void> {
  logger.info({ signal }, 'worker stopping');
  const outcome = await service.close();
  logger.info({ outcome }, 'worker stopped');
  process.exit(outcome === 'closed' ? 0 : 1);
}

process.once('SIGTERM', (signal) => void stop(signal));
process.once('SIGINT', (signal) => void stop(signal));
