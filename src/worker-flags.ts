/**
 * The options of Node for a worker process.
 *
 * The objects of a batch live for about 100 ms. In Node's default young generation they survive several collections and
 * count as long-lived, and a worker spent half its time collecting them. Hence a young generation of 16 MiB from the start.
 * The old generation is collected after it has grown by half instead of fourfold, so that the memory of a worker does not
 * depend on the number of conversations in an operation.
 */
export const WORKER_NODE_FLAGS = [
  '--max-semi-space-size=16',
  '--min-semi-space-size=16',
  '--heap-growing-percent=50',
] as const;
