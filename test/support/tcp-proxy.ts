import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** A proxy for one service. A test closes it to make the service unreachable. */
export class TcpProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private isAway = false;
  private isSilent = false;
  private service: { readonly host: string; readonly port: number };
  /** The service's address through the proxy. */
  readonly url: string;

  private constructor(server: Server, serviceUrl: string, url: string) {
    this.server = server;
    this.service = placeOf(serviceUrl);
    this.url = url;
  }

  static async before(serviceUrl: string): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(serviceUrl);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    const proxy = new TcpProxy(server, serviceUrl, url.toString());
    server.on('connection', (socket) => proxy.pass(socket));
    return proxy;
  }

  /** Breaks every connection and refuses new ones. */
  away(): void {
    this.isAway = true;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Keeps every connection open and passes nothing on, as a half-open connection. Accepts new ones. */
  silence(): void {
    this.isSilent = true;
    for (const socket of this.sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Accepts connections again. Those that were silenced stay silent, as if the other end had vanished. */
  back(): void {
    this.isAway = false;
    this.isSilent = false;
  }

  /** New connections lead to another service, as after a failover. The open ones stay as they are. */
  moveTo(serviceUrl: string): void {
    this.service = placeOf(serviceUrl);
  }

  async close(): Promise<void> {
    this.away();
    this.server.close();
    await once(this.server, 'close');
  }

  private pass(socket: Socket): void {
    this.keep(socket);
    if (this.isAway) return void socket.destroy();
    if (this.isSilent) return void socket.pause();
    const service = connect(this.service.port, this.service.host);
    this.keep(service);
    socket.pipe(service).pipe(socket);
    socket.on('close', () => service.destroy());
    service.on('close', () => socket.destroy());
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }
}

/** A proxy before MongoDB. The direct connection keeps the driver from the address behind the proxy. */
export async function proxiedMongo(mongodbUri: string): Promise<{ proxy: TcpProxy; uri: string }> {
  const proxy = await TcpProxy.before(mongodbUri);
  const uri = new URL(proxy.url);
  uri.searchParams.delete('replicaSet');
  uri.searchParams.set('directConnection', 'true');
  return { proxy, uri: uri.toString() };
}

function placeOf(serviceUrl: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(serviceUrl);
  return { host: hostname, port: Number(port) };
}
