import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { deserialize, serialize } from 'bson';
import { failedCommandReply, withWriteConcernError } from './commands/fail-point.js';
import { helloReply } from './commands/server.js';
import type { Call, ServerContext } from './context.js';
import { dispatch } from './dispatch.js';
import { HELLO_AWAIT_MAX_MS, PENDING_MESSAGES_MAX } from './limits.js';
import { MalformedBson } from './protocol/bson-elements.js';
import { FAIL_POINT, type Failure } from './state/fail-points.js';
import { readCommand, type Command } from './protocol/command.js';
import { FrameError, Frames } from './protocol/frames.js';
import { MalformedMessage, MESSAGE_LAYOUT, readMessage, replyParts } from './protocol/message.js';

interface ClientOptions {
  context: ServerContext;
  id: number;
  log: (line: string) => void;
}

/** The socket of one driver connection. Runs its commands one after another. */
export class Client {
  readonly #socket: Socket;
  readonly #context: ServerContext;
  readonly #id: number;
  readonly #log: (line: string) => void;
  readonly #frames = new Frames(MESSAGE_LAYOUT);
  readonly #closing = new AbortController();
  readonly #pending: Buffer[] = [];
  #isBusy = false;
  /** The name that the driver sent with its first hello. */
  #appName: string | undefined;

  constructor(socket: Socket, { context, id, log }: ClientOptions) {
    this.#socket = socket;
    this.#context = context;
    this.#id = id;
    this.#log = log;
    socket.setNoDelay(true);
    socket.on('data', (received: Buffer) => this.#onData(received));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Accepts no further commands. The running command still sends its reply unless `destroy` comes first. */
  end(): void {
    this.#closing.abort();
    if (!this.#isBusy) this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(received: Buffer): void {
    try {
      this.#pending.push(...this.#frames.push(received));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return this.#closeOnError(error);
    }
    // Not paused while a single command runs, because a paused socket does not report that the client closed it.
    if (this.#pending.length > PENDING_MESSAGES_MAX) this.#socket.pause();
    if (!this.#isBusy) void this.#runPending();
  }

  #onClose(): void {
    this.#closing.abort();
    this.#pending.length = 0;
    const { failPoints, transactions } = this.#context;
    if (!failPoints.isActive(FAIL_POINT.keepTransactions)) transactions.rollBackOf(this);
  }

  async #runPending(): Promise<void> {
    this.#isBusy = true;
    try {
      for (let frame = this.#pending.shift(); frame !== undefined; frame = this.#pending.shift()) {
        await this.#run(readCommand(readMessage(frame)));
        if (this.#pending.length === 0) this.#socket.resume();
      }
    } catch (error) {
      this.#closeOnError(error);
    } finally {
      this.#isBusy = false;
      if (this.#closing.signal.aborted) this.#socket.destroySoon();
    }
  }

  async #run(command: Command): Promise<void> {
    const call: Call = { command, context: this.#context, owner: this, clientId: this.#id };
    if (isHello(command)) this.#appName ??= appNameIn(command.body);
    const failure = this.#context.failPoints.failureOf(command, this.#appName);
    if (failure !== undefined) return this.#fail(call, failure);
    if (command.maxAwaitTimeMs !== undefined && isHello(command)) return this.#awaitHello(call, command.maxAwaitTimeMs);
    const reply = await dispatch(call);
    if (command.message.wantsReply) await this.#send(command, reply, false);
  }

  async #fail(call: Call, failure: Failure): Promise<void> {
    const { signal } = this.#closing;
    await sleep(failure.blockMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (failure.closesConnection) return this.destroy();
    const reply = failedCommandReply(call, failure) ?? withWriteConcernError(await dispatch(call), failure);
    if (call.command.message.wantsReply) await this.#send(call.command, reply, false);
  }

  /** Replies to an awaitable hello when its time is up, because the topology never changes. Repeats it on request. */
  async #awaitHello(call: Call, awaitMs: number): Promise<void> {
    const { message } = call.command;
    const waitMs = Math.min(Math.max(awaitMs, 0), HELLO_AWAIT_MAX_MS);
    for (;;) {
      const waited = await sleep(waitMs, true, { signal: this.#closing.signal, ref: false }).catch(() => false);
      if (!waited) return;
      await this.#send(call.command, Buffer.from(serialize(helloReply(call))), message.exhaustAllowed);
      if (!message.exhaustAllowed || this.#pending.length > 0) return;
    }
  }

  /** Waits while the client reads more slowly than it sends commands. */
  async #send({ message }: Command, body: Buffer, moreToCome: boolean): Promise<void> {
    if (this.#socket.destroyed) return;
    let isWritable = true;
    for (const part of replyParts(message, body, moreToCome)) isWritable = this.#socket.write(part);
    if (!isWritable) await drained(this.#socket);
  }

  #closeOnError(error: unknown): void {
    const isExpected =
      error instanceof FrameError || error instanceof MalformedMessage || error instanceof MalformedBson;
    const message =
      error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
    this.#log(`client ${this.#id}: closing the socket: ${message}`);
    this.#socket.destroy();
  }
}

function isHello({ name }: Command): boolean {
  return name === 'hello' || name === 'isMaster' || name === 'ismaster';
}

function appNameIn(hello: Buffer): string | undefined {
  const { client } = deserialize(hello) as { client?: { application?: { name?: string } } };
  return client?.application?.name;
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
    if (socket.destroyed) done();
  });
}
