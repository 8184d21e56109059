import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { answerClientError } from '../../src/http/error-handler.ts';
import { allowSlowBody } from '../../src/http/streams/bodies.ts';

describe('a body that arrives slowly', () => {
  it('is cut off, unless it belongs to a route that allows it and the request still runs', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    const response = new EventEmitter();
    allowSlowBody({ raw: { socket } } as never, { raw: response } as never);
    answerClientError(late, socket);
    expect(socket.writable).toBe(true);
    response.emit('close');
    answerClientError(late, socket);
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(answer.toString()).toContain('"code":"request-too-slow"');
    client.destroy();
    server.close();
  });
});
