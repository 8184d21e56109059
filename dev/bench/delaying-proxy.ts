import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A proxy for one service, on loopback only, that makes the service look as if it were far away. */
export class DelayingProxy {
  /** How much later each byte arrives, in either direction. Applies to what is sent after a change. */
  oneWayMs = 0;
  readonly url: string;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
  }

  static async before(serviceUrl: string): Promise<DelayingProxy> {
    const url = new URL(serviceUrl);
    const service = { host: url.hostname, port: Number(url.port) };
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    // The driver would otherwise connect to the address that the server gives as its own.
    if (url.protocol === 'mongodb:') {
      url.searchParams.delete('replicaSet');
      url.searchParams.set('directConnection', 'true');
    }
    const proxy = new DelayingProxy(server, url.toString());
    server.on('connection', (socket) => {
      proxy.join(socket, connect(service.port, service.host));
    });
    return proxy;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket, service: Socket): void {
    for (const [from, to] of [
      [client, service],
      [service, client],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      this.pass(from, to);
    }
  }

  /** Nothing overtakes what was sent before it, also when the delay becomes shorter. */
  private pass(from: Socket, to: Socket): void {
    let lastAt = 0;
    from.on('data', (data: Buffer) => {
      const now = performance.now();
      lastAt = Math.max(lastAt, now + this.oneWayMs);
      if (lastAt <= now) to.write(data);
      else setTimeout(() => to.write(data), lastAt - now);
    });
  }
}
