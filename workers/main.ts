import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/telemetry/index.ts';
import { startService } from './service.ts';

const config = readConfig(process.env);
const logger = createLogger(config.log);
const service = await startService(config, logger);
await service.ready;
logger.info('worker ready');

async function stop(signal: NodeJS.Signals): Promise<void> {
  logger.info({ signal }, 'worker stopping');
  const outcome = await service.close();
  logger.info({ outcome }, 'worker stopped');
  process.exit(outcome === 'closed' ? 0 : 1);
}

process.once('SIGTERM', (signal) => void stop(signal));
process.once('SIGINT', (signal) => void stop(signal));
