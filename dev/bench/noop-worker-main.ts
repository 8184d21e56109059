import { Worker } from 'bullmq';

/** A worker whose jobs do nothing: what the queue alone costs. Its queue's name is its only argument. */
const [queueName = ''] = process.argv.slice(2);
const connection = { url: process.env['REDIS_URL'] ?? '', maxRetriesPerRequest: null };
const worker = new Worker(queueName, () => Promise.resolve(), { connection });
await worker.waitUntilReady();
process.stdout.write('ready\n');
