import { once } from 'node:events';
import { connect } from 'node:net';
import { createKey, SCOPES, type Scope } from '../../src/access/index.ts';
import { startServer, type Server } from '../../src/http/server.ts';
import type { ProblemDocument } from '../../src/http/problem.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { DEFAULT_ORGANISATION } from '../../src/domain/id-rules.ts';
import type { Harness } from '../support/harness.ts';
import type { HttpConfig } from '../../src/http-config.ts';

export interface Answered<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface Sending {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client of a server with one API key. */
export class Client {
  readonly address: string;
  readonly key: string | undefined;

  constructor(address: string, key?: string) {
    this.address = address;
    this.key = key;
  }

  async send<Body = Record<string, unknown>>(
    method: string,
    path: string,
    { body, headers = {} }: Sending = {},
  ): Promise<Answered<Body>> {
    const response = await fetch(this.address + path, {
      method,
      headers: {
        ...(this.key !== undefined && { authorization: `Bearer ${this.key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    if (isStream) await response.body?.cancel();
    const text = isStream ? '' : await response.text();
    const isJson = text !== '' && /[/+]json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : {}) as Body };
  }

  get<Body = Record<string, unknown>>(path: string, headers: Sending['headers'] = {}): Promise<Answered<Body>> {
    return this.send<Body>('GET', path, { headers });
  }

  post<Body = Record<string, unknown>>(
    path: string,
    body?: unknown,
    headers: Sending['headers'] = {},
  ): Promise<Answered<Body>> {
    return this.send<Body>('POST', path, { ...(body !== undefined && { body }), headers });
  }

  /** Sends a request that must be refused, and returns its problem. */
  async problem(method: string, path: string, sending: Sending = {}): Promise<ProblemDocument> {
    const { status, headers, body } = await this.send<ProblemDocument>(method, path, sending);
    if (status < 400 || !headers.get('content-type')?.startsWith('application/problem+json')) {
      throw new Error(`${method} ${path} answered ${status} without a problem: ${JSON.stringify(body)}`);
    }
    return body;
  }
}

/** A server for a harness, with keys for clients. */
export class HttpHarness {
  readonly harness: Harness;
  readonly server: Server;

  private constructor(harness: Harness, server: Server) {
    this.harness = harness;
    this.server = server;
  }

  static async start(harness: Harness, http: Partial<HttpConfig> = {}): Promise<HttpHarness> {
    const config = { ...harness.config, http: { ...harness.config.http, ...http } };
    return new HttpHarness(harness, await startServer(config, createLogger(config.log)));
  }

  async client(
    scopes: readonly Scope[] = SCOPES,
    organisationId = DEFAULT_ORGANISATION,
    name = this.harness.newId('app'),
  ): Promise<Client> {
    const { text } = await createKey(this.harness.context, { organisationId, name, scopes });
    return new Client(this.server.address, text);
  }

  /** Sends a text and returns the head and the body of the answer. The answer must end the connection. */
  async raw(text: string): Promise<string> {
    const { port, hostname } = new URL(this.server.address);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (piece: Buffer) => (answer += piece.toString()));
    socket.write(text);
    await once(socket, 'close');
    return answer;
  }

  async close(): Promise<void> {
    await this.server.close();
  }
}
