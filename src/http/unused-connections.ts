import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The connections on which the server has received nothing yet. Browsers and proxies open some in advance. Node does not count
 * them as idle, so a server that stops would wait for their first request.
 */
export class UnusedConnections {
  private readonly sockets = new Set<Socket>();
  private isClosed = false;

  constructor(server: Server) {
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
