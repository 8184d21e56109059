/**
 * What Node is started with for a worker. What it reads and writes is of use for the tenth of a second that a batch takes:
 * in Node's small young generation some of that is taken for long-lived, and half a worker's time went into collecting it.
 * So its halves have this many MiB from the start. And what counts as long-lived is collected when it has grown by half,
 * not when it has grown fourfold: a worker's memory then stays where it is, however many conversations an operation has.
 */
export const WORKER_NODE_FLAGS = [
  '--max-semi-space-size=16',
  '--min-semi-space-size=16',
  '--heap-growing-percent=50',
] as const;
