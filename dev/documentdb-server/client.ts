import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { serialize } from 'bson';
import { helloAnswer } from './commands/server.js';
import { dispatch } from './dispatch.js';
import type { Call, Front } from './front.js';
import { HELLO_AWAIT_MAX_MS, INBOX_MAX } from './limits.js';
import { MalformedBson } from './protocol/bson-walk.js';
import { readCommand, type Command } from './protocol/command.js';
import { FrameError, Frames } from './protocol/frames.js';
import { answerParts, MalformedMessage, MESSAGE_LAYOUT, readMessage } from './protocol/message.js';

/** One driver's socket: its commands run one after another, and an answer waits until the last one has left. */
export class Client {
  readonly #socket: Socket;
  readonly #front: Front;
  readonly #id: number;
  readonly #log: (line: string) => void;
  readonly #frames = new Frames(MESSAGE_LAYOUT);
  readonly #gone = new AbortController();
  readonly #inbox: Buffer[] = [];
  #working = false;

  constructor(socket: Socket, { front, id, log }: { front: Front; id: number; log: (line: string) => void }) {
    this.#socket = socket;
    this.#front = front;
    this.#id = id;
    this.#log = log;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose());
  }

  /** Stops taking commands; the one that runs is still answered if it ends before the socket is cut. */
  end(): void {
    this.#gone.abort();
    if (!this.#working) this.#socket.destroySoon();
  }

  cut(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    try {
      this.#inbox.push(...this.#frames.push(chunk));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return this.#refuse(error);
    }
    // Not paused for a single command, as a paused socket would not notice that its client is gone.
    if (this.#inbox.length > INBOX_MAX) this.#socket.pause();
    if (!this.#working) void this.#work();
  }

  #onClose(): void {
    this.#gone.abort();
    this.#inbox.length = 0;
    this.#front.transactions.abandon(this);
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let frame = this.#inbox.shift(); frame !== undefined; frame = this.#inbox.shift()) {
        await this.#serve(readCommand(readMessage(frame)));
        if (this.#inbox.length === 0) this.#socket.resume();
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#working = false;
      if (this.#gone.signal.aborted) this.#socket.destroySoon();
    }
  }

  async #serve(command: Command): Promise<void> {
    const call: Call = { command, front: this.#front, owner: this, clientId: this.#id };
    if (command.maxAwaitTimeMs !== undefined && isHello(command)) return this.#watch(call, command.maxAwaitTimeMs);
    const answer = await dispatch(call);
    if (command.message.wantsAnswer) await this.#answer(command, answer, false);
  }

  /** An awaitable hello: nothing ever changes here, so it is answered when its time is up, again and again if so asked. */
  async #watch(call: Call, awaitMs: number): Promise<void> {
    const { message } = call.command;
    const wait = Math.min(Math.max(awaitMs, 0), HELLO_AWAIT_MAX_MS);
    for (;;) {
      const waited = await sleep(wait, true, { signal: this.#gone.signal, ref: false }).catch(() => false);
      if (!waited) return;
      await this.#answer(call.command, Buffer.from(serialize(helloAnswer(call))), message.exhaustAllowed);
      if (!message.exhaustAllowed || this.#inbox.length > 0) return;
    }
  }

  /** Waits where the client reads more slowly than it asks. */
  async #answer({ message }: Command, body: Buffer, moreToCome: boolean): Promise<void> {
    if (this.#socket.destroyed) return;
    let flowing = true;
    for (const part of answerParts(message, body, moreToCome)) flowing = this.#socket.write(part);
    if (!flowing) await drained(this.#socket);
  }

  #refuse(error: unknown): void {
    const known = error instanceof FrameError || error instanceof MalformedMessage || error instanceof MalformedBson;
    const what = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
    this.#log(`client ${this.#id}: closing its socket: ${what}`);
    this.#socket.destroy();
  }
}

function isHello({ name }: Command): boolean {
  return name === 'hello' || name === 'isMaster' || name === 'ismaster';
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
