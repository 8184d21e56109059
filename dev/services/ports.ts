import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const LOOPBACK = '127.0.0.1';

const PORT_ATTEMPTS_MAX = 3;

/** Starts something on a port that was free a moment ago; should another process have taken it since, on another. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return await start(port);
    } catch (error) {
      if (attempt === PORT_ATTEMPTS_MAX || (await isFree(port))) throw error;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  );
}

/** A port nobody listens on now; see `onFreePort` for what may happen a moment later. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

function listenOnce(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(wanted, LOOPBACK, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

/** Asks again and again until `isReady` says yes; false when the time is up or `hasGivenUp` says so. */
export async function becomes(
  isReady: () => Promise<boolean>,
  limits: { withinMs: number; everyMs: number; hasGivenUp?: () => boolean },
): Promise<boolean> {
  const deadline = Date.now() + limits.withinMs;
  while (Date.now() < deadline) {
    if (limits.hasGivenUp?.() === true) return false;
    if (await isReady()) return true;
    await sleep(limits.everyMs);
  }
  return false;
}
