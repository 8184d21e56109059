/**
 * What Node is started with for a worker. Half a worker's time went into collecting what it read and wrote a moment ago:
 * Node's young generation is so small that a batch's short-lived ids fill it several times over, and some of them are
 * taken for long-lived. In MiB, for each of its two halves; the least is the most, so that memory does not creep up.
 */
export const WORKER_NODE_FLAGS = ['--max-semi-space-size=32', '--min-semi-space-size=32'] as const;
