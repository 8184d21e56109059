import { StopSignals } from '../process/stop-signals.ts';

// First of all, because loading the libraries takes a second. As process 1 of a container, a process without a handler
// ignores SIGTERM.
const signals = new StopSignals();
const [{ runService }, { startServer }] = await Promise.all([
  import('../process/run-service.ts'),
  import('./server.ts'),
]);
await runService({ name: 'HTTP server', start: startServer }, signals, process.env);
