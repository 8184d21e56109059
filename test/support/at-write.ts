/**
 * Loaded before a worker (`--import`). Numbers the commands with which the process writes to MongoDB and Redis, and kills
 * or blocks the process before or after one of them. The code of the worker does not know about it.
 *
 * `AT_WRITE=<name>#<number>:<before|after>` names the write, and `AT_WRITE_DO` is `kill` (the default) or
 * `block:<milliseconds>`. `AT_WRITE=list` prints the name of each write to standard error instead.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { Redis, type Command } from 'ioredis';
import mongoose, { type mongo } from 'mongoose';

const AT = process.env['AT_WRITE'] ?? '';
const ACTION = process.env['AT_WRITE_DO'] ?? 'kill';
const STANDARD_ERROR = 2;

/** The record of the process depends on the clock, and the probe of the start is no work. */
const NOT_COUNTED = ['processes', 'schema'];
const MONGO_WRITES = new Set(['insert', 'update', 'delete', 'findAndModify', 'commitTransaction', 'abortTransaction']);
/** Commands and scripts that advance a job or a claim. Renewing a lock or a lease depends on the clock and is left out. */
const REDIS_WRITES = new Set([
  ...['moveToFinished', 'moveToDelayed', 'addStandardJob', 'promote', 'publish'],
  ...['claimLeaseAcquireOrForward', 'claimLeaseRenewAndTake', 'claimLeaseTakeOrRelease', 'claimLeaseRelease'],
]);
/** Counts as a write only when it returns a job. */
const TAKES_JOB = 'moveToActive';

const numbers = new Map<string, number>();

function numbered(name: string): string {
  const number = (numbers.get(name) ?? 0) + 1;
  numbers.set(name, number);
  return `${name}#${number}`;
}

function pass(write: string): void {
  if (AT === 'list') writeSync(STANDARD_ERROR, `place ${write}\n`);
  if (AT !== write) return;
  if (ACTION === 'kill') process.kill(process.pid, 'SIGKILL');
  const [, blockMs] = /^block:(\d+)$/.exec(ACTION) ?? [];
  // Blocks the event loop: no timer runs and no lock is renewed.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(blockMs));
}

function watchMongo(): void {
  const running = new Map<number, string>();
  const { prototype } = mongoose.mongo.MongoClient;
  const connect = Reflect.get<typeof prototype, 'connect'>(prototype, 'connect');
  prototype.connect = function (this: mongo.MongoClient): Promise<mongo.MongoClient> {
    Reflect.set(this, 'monitorCommands', true);
    this.on('commandStarted', ({ requestId, commandName, command }) => {
      if (!MONGO_WRITES.has(commandName)) return;
      const collection = (command as Record<string, unknown>)[commandName];
      if (NOT_COUNTED.some((each) => each === collection)) return;
      const write = numbered(typeof collection === 'string' ? `${commandName} ${collection}` : commandName);
      running.set(requestId, write);
      pass(`${write}:before`);
    });
    this.on('commandSucceeded', ({ requestId }) => {
      const write = running.get(requestId);
      if (write !== undefined) pass(`${write}:after`);
    });
    return connect.call(this);
  };
}

interface DefinesCommands {
  defineCommand(name: string, definition: { lua: string; numberOfKeys?: number }): void;
}

function watchRedis(): void {
  const scripts = new Map<string, string>();
  const prototype = Redis.prototype as unknown as DefinesCommands & { sendCommand(command: Command): Promise<unknown> };
  const define = Reflect.get<DefinesCommands, 'defineCommand'>(prototype, 'defineCommand');
  prototype.defineCommand = function (this: Redis, name, definition) {
    scripts.set(createHash('sha1').update(definition.lua).digest('hex'), name.replace(/:.*/, ''));
    define.call(this, name, definition);
  };
  const send = Reflect.get(prototype, 'sendCommand') as (...args: unknown[]) => Promise<unknown>;
  prototype.sendCommand = function (this: Redis, ...args: [Command]): Promise<unknown> {
    const [command] = args;
    const name = nameOf(command, scripts);
    const write = `${name}${queueOf(command)}`;
    if (name === TAKES_JOB) {
      const reply = send.apply(this, args);
      void reply.then((taken) => isJob(taken) && pass(`${numbered(write)}:after`), ignore);
      return reply;
    }
    if (!REDIS_WRITES.has(name)) return send.apply(this, args);
    const place = numbered(write);
    pass(`${place}:before`);
    const reply = send.apply(this, args);
    void reply.then(() => pass(`${place}:after`), ignore);
    return reply;
  };
}

function nameOf({ name, args }: Command, scripts: ReadonlyMap<string, string>): string {
  return isScript(name) ? (scripts.get(String(args[0])) ?? name) : name;
}

/** The arguments of a script are its hash, the number of its keys, and the keys, which contain the name of the queue. */
function queueOf({ name, args }: Command): string {
  return isScript(name) ? ` ${String(args[2]).split(':')[1] ?? ''}` : '';
}

function isScript(name: string): boolean {
  return name === 'evalsha' || name === 'eval';
}

function isJob(reply: unknown): boolean {
  return Array.isArray(reply) && Array.isArray(reply[0]);
}

const ignore = (): void => undefined;

watchMongo();
watchRedis();
