import { StopSignals } from './stop-signals.ts';

// First of all, because loading the libraries takes a second. As process 1 of a container, a process without a handler
// ignores SIGTERM.
const signals = new StopSignals();
const { runWorker } = await import('./run-worker.ts');
await runWorker(signals, process.env);
