import { StopSignals } from '../src/process/stop-signals.ts';

// First of all, because loading the libraries takes a second. As process 1 of a container, a process without a handler
// ignores SIGTERM.
const signals = new StopSignals();
const [{ runService }, { startService }] = await Promise.all([
  import('../src/process/run-service.ts'),
  import('./service.ts'),
]);
await runService({ name: 'worker', start: startService }, signals, process.env);
