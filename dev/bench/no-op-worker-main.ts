import { Worker } from 'bullmq';

/** A worker whose jobs do nothing. The only argument is the name of its queue. */
const [queueName = ''] = process.argv.slice(2);
const connection = { url: process.env['REDIS_URL'] ?? '', maxRetriesPerRequest: null };
const worker = new Worker(queueName, () => Promise.resolve(), { connection });
await worker.waitUntilReady();
process.stdout.write('ready\n');
