import { type Cluster, Redis } from 'ioredis';
import { errorText } from '../domain/safe-text.ts';
import type { ConnectionOptions } from './connection-options.ts';

/** What the client says instead of the cause, when a connection to a node could not be opened. */
const WITHOUT_CAUSE = /^Connection is closed|^timeout$/;

/** What the client says of a command after the connection was closed, such as the greeting of one that is closed at once. */
const WRITTEN_TO_CLOSED = /^Stream isn't writeable/;

/** Why a cluster cannot be used at present. */
const troubles = new WeakMap<object, Error>();

/** Returns why a cluster cannot be used at present, or `undefined`. */
export function troubleOf(connection: object): Error | undefined {
  return troubles.get(connection);
}

/** Returns true for an error of the client that names no cause. {@link watchCluster} or the connection reports the cause. */
export function isWithoutCause(error: unknown): boolean {
  return error instanceof Error && (error.name === 'ClusterAllFailedError' || WRITTEN_TO_CLOSED.test(error.message));
}

interface Watched {
  /** The options of a connection to one of the given nodes. */
  readonly node: ConnectionOptions;
  /** Called when no node can be used. */
  readonly onError: (error: Error) => void;
  /** Called when one node cannot be used. */
  readonly onNodeError: (error: Error) => void;
}

/** Finds out why nodes of a cluster cannot be reached: a certificate, a name, a password. The client does not say it. */
export function watchCluster(cluster: Cluster, { node, onError, onNodeError }: Watched): void {
  let isProbing = false;
  const note = (message: string, report: (error: Error) => void): void => {
    const trouble = new Error(message);
    troubles.set(cluster, trouble);
    report(trouble);
  };
  const findCause = async (error: unknown): Promise<void> => {
    if (isProbing) return;
    isProbing = true;
    const cause = causeIn(error) ?? (await probe(node)) ?? error;
    isProbing = false;
    if (cluster.status !== 'end') note(`no node of the cluster can be used: ${errorText(cause)}`, onError);
  };
  cluster.on('error', (error: unknown) => {
    if (isWithoutCause(error)) void findCause(error);
  });
  cluster.on('node error', (error: Error, address: string) => {
    if (WITHOUT_CAUSE.test(error.message)) return;
    note(`the node ${address} of the cluster cannot be used: ${errorText(error)}`, onNodeError);
  });
  cluster.on('ready', () => troubles.delete(cluster));
}

function causeIn(error: unknown): Error | undefined {
  const { lastNodeError } = error as { readonly lastNodeError?: unknown };
  return lastNodeError instanceof Error && !WITHOUT_CAUSE.test(lastNodeError.message) ? lastNodeError : undefined;
}

/** Opens a connection to one node, and returns the error that prevents it. */
async function probe(node: ConnectionOptions): Promise<Error | undefined> {
  const redis = new Redis({ ...node, lazyConnect: true, retryStrategy: () => null });
  let cause: Error | undefined;
  redis.on('error', (error: Error) => (cause ??= error));
  await redis.connect().catch(() => undefined);
  redis.disconnect();
  return cause;
}
