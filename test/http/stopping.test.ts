import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness } from '../support/harness.ts';
import { HttpHarness } from './support.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(async () => {
  await harness.close();
});

describe('a server that stops', () => {
  it('does not wait for connections that were opened in advance, and answers those whose request has begun', async () => {
    const http = await HttpHarness.start(harness);
    const { port, hostname } = new URL(http.server.address);
    const [unused, begun] = [connect(Number(port), hostname), connect(Number(port), hostname)];
    await Promise.all([once(unused, 'connect'), once(begun, 'connect')]);
    begun.write('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n');
    let answer = '';
    begun.on('data', (piece: Buffer) => (answer += piece.toString()));
    // The server has read the beginning of the other request by then.
    expect((await fetch(`${http.server.address}/livez`)).status).toBe(200);
    const closing = http.server.close();
    await once(unused, 'close');
    begun.write('\r\n');
    // The answer may arrive after the server has closed.
    await Promise.all([closing, once(begun, 'close')]);
    expect(await closing).toBe('closed');
    expect(answer).toContain('HTTP/1.1 200');
  });
});
