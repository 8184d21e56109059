import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const LOOPBACK = '127.0.0.1';

/** A port nobody listens on now. Between this answer and its use another process may take it: callers retry. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, LOOPBACK, () => {
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
