import { readConfig } from '../src/config.ts';
import { EXIT_REFUSED, Refusal } from '../src/domain/errors.ts';
import { createLogger } from '../src/telemetry/index.ts';
import { startService } from './service.ts';

const config = readConfig(process.env);
const logger = createLogger(config.log);
const service = await startService(config, logger).catch((error: unknown) => {
  if (!(error instanceof Refusal)) throw error;
  logger.fatal({ code: error.code }, error.message);
  process.exit(EXIT_REFUSED);
});
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
