import type { Server as NodeServer } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pTimeout from 'p-timeout';
import type { Config } from '../config.ts';
import type { Service } from '../process/run-service.ts';
import type { Logger } from '../telemetry/index.ts';
import { buildApp } from './app.ts';
import { openServices } from './services.ts';

/** After the server has become not ready, it accepts connections for a moment, so that nobody is refused who does not know it. */
const NOT_READY_MS = 200;

export interface Server extends Service {
  /** Where the server listens: "http://127.0.0.1:8686". */
  readonly address: string;
}

/**
 * Starts the HTTP server. Closing makes `/readyz` false, lets the requests that run finish, ends streams, and then closes the
 * connections. After `closeTimeoutMs` it cuts them off.
 */
export async function startServer(config: Config, logger: Logger): Promise<Server> {
  const services = await openServices(config, logger);
  try {
    const app = await buildApp(services);
    const { host, port } = config.http;
    const unused = new UnusedConnections(app.server);
    const address = await app.listen({ host, port });
    logger.info({ address }, 'the HTTP server listens');
    return {
      address,
      ready: Promise.resolve(),
      lost: new Promise(() => undefined),
      close: async () => {
        services.stopping.abort();
        services.live.stop();
        await delay(NOT_READY_MS);
        const milliseconds = config.worker.closeTimeoutMs;
        const closed = app.close().then(() => 'closed' as const);
        unused.close();
        const outcome = await pTimeout(closed, { milliseconds, fallback: () => 'timed-out' as const });
        app.server.closeAllConnections();
        await services.close();
        return outcome;
      },
    };
  } catch (error) {
    await services.close();
    throw error;
  }
}

/**
 * The connections on which the server has received nothing yet. Browsers and proxies open some in advance. Node does not count
 * them as idle, so a server that stops would wait for their first request.
 */
class UnusedConnections {
  private readonly sockets = new Set<Socket>();
  private isClosed = false;

  constructor(server: NodeServer) {
    server.on('connection', (socket) => {
      if (this.isClosed) return void socket.destroy();
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  /** Closes them, and those that are accepted from now on. */
  close(): void {
    this.isClosed = true;
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
