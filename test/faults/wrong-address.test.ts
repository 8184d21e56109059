import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProducer } from '../../src/producer/index.ts';

const REQUEST = { operationId: 'undo-1', campaignId: 'c_bartlett', undoes: 'op-1' };

/** The address of a server that is not the Redis that the address asks for: it waits for the whole time of a request. */
describe('a producer whose address leads elsewhere', () => {
  const servers: Server[] = [];
  const ports: Record<string, number> = {};
  beforeAll(async () => {
    const answers = { http: 'HTTP/1.1 400 Bad Request\r\n\r\n', silent: undefined, closing: '' };
    for (const [name, answer] of Object.entries(answers)) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        if (answer === '') socket.once('data', () => socket.end());
        else if (answer !== undefined) socket.write(answer);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
      ports[name] = (server.address() as AddressInfo).port;
    }
  });
  afterAll(() => servers.forEach((server) => server.close()));

  it.concurrent.each([
    ['redis', 'http', 'what answers at this address is no Redis, or wants TLS'],
    ['rediss', 'http', 'has no TLS: use redis:// in place of rediss://'],
    ['rediss', 'silent', 'use rediss:// only for a Redis with TLS'],
    // As a server with TLS does with other connections.
    ['redis', 'closing', 'whether it wants TLS: rediss://'],
  ])('says what to check: %s:// to a server that is %s', async (scheme, name, words) => {
    const producer = createProducer({ redisUrl: `${scheme}://127.0.0.1:${ports[name] ?? 0}` });
    await expect(producer.undo(REQUEST)).rejects.toThrow(words);
    await producer.close();
  });
});
