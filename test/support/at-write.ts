/**
 * Loaded before a worker (`--import`), watches every write that leaves it for MongoDB and Redis, numbers them by name,
 * and at the one that the environment names dies or stands still. So every write is a place to crash at, those of
 * tomorrow too, and the worker itself knows nothing of it.
 *
 * `AT_WRITE=<name>#<number>:<before|after>` says where, `AT_WRITE_DO=kill` or `block:<milliseconds>` what;
 * `AT_WRITE=list` has every place said on standard error as it is passed.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { Redis, type Command } from 'ioredis';
import mongoose, { type mongo } from 'mongoose';

const AT = process.env['AT_WRITE'] ?? '';
const DO = process.env['AT_WRITE_DO'] ?? 'kill';
const STANDARD_ERROR = 2;

const MONGO_WRITES = new Set(['insert', 'update', 'delete', 'findAndModify', 'commitTransaction', 'abortTransaction']);
/** What moves a job or a claim on. Signs of life come by the clock, and are left out. */
const REDIS_WRITES = new Set(['moveToFinished', 'moveToDelayed', 'addStandardJob', 'promote', 'turn', 'publish']);
/** Looking for work is only a write when some is found. */
const TAKES_JOB = 'moveToActive';
/** A coordinator takes, uses and leaves its turn by scripts on two keys; those on one only say that it lives, or that it failed. */
const TURN_KEYS = '2';

const numbers = new Map<string, number>();

function next(name: string): string {
  const number = (numbers.get(name) ?? 0) + 1;
  numbers.set(name, number);
  return `${name}#${number}`;
}

function pass(place: string): void {
  if (AT === 'list') writeSync(STANDARD_ERROR, `place ${place}\n`);
  if (AT !== place) return;
  if (DO === 'kill') process.kill(process.pid, 'SIGKILL');
  const [, blockMs] = /^block:(\d+)$/.exec(DO) ?? [];
  // Nothing in this process goes on meanwhile: no timer, no answer, no sign of life.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(blockMs));
}

function watchMongo(): void {
  const underWay = new Map<number, string>();
  const { prototype } = mongoose.mongo.MongoClient;
  const connect = Reflect.get<typeof prototype, 'connect'>(prototype, 'connect');
  prototype.connect = function (this: mongo.MongoClient): Promise<mongo.MongoClient> {
    Reflect.set(this, 'monitorCommands', true);
    this.on('commandStarted', ({ requestId, commandName, command }) => {
      if (!MONGO_WRITES.has(commandName)) return;
      const on = (command as Record<string, unknown>)[commandName];
      const place = next(typeof on === 'string' ? `${commandName} ${on}` : commandName);
      underWay.set(requestId, place);
      pass(`${place}:before`);
    });
    this.on('commandSucceeded', ({ requestId }) => {
      const place = underWay.get(requestId);
      if (place !== undefined) pass(`${place}:after`);
    });
    return connect.call(this);
  };
}

interface Defining {
  defineCommand(name: string, definition: { lua: string; numberOfKeys?: number }): void;
}

function watchRedis(): void {
  const scripts = new Map<string, string>();
  const prototype = Redis.prototype as unknown as Defining & { sendCommand(command: Command): Promise<unknown> };
  const define = Reflect.get<Defining, 'defineCommand'>(prototype, 'defineCommand');
  prototype.defineCommand = function (this: Redis, name, definition) {
    scripts.set(createHash('sha1').update(definition.lua).digest('hex'), name.replace(/:.*/, ''));
    define.call(this, name, definition);
  };
  const send = Reflect.get(prototype, 'sendCommand') as (...args: unknown[]) => Promise<unknown>;
  prototype.sendCommand = function (this: Redis, ...args: [Command]): Promise<unknown> {
    const [command] = args;
    const sha = String(command.args[0]);
    const isScript = command.name === 'evalsha' || command.name === 'eval';
    const isTurn = command.name === 'eval' && String(command.args[1]) === TURN_KEYS;
    const name = isTurn ? 'turn' : isScript ? (scripts.get(sha) ?? command.name) : command.name;
    // Which queue's: its keys come after the number of them.
    const queue = isScript ? ` ${String(command.args[2]).split(':')[1] ?? ''}` : '';
    if (name === TAKES_JOB) {
      const answer = send.apply(this, args);
      void answer.then((taken) => isJob(taken) && pass(`${next(name + queue)}:after`), ignore);
      return answer;
    }
    if (!REDIS_WRITES.has(name)) return send.apply(this, args);
    const place = next(name + queue);
    pass(`${place}:before`);
    const answer = send.apply(this, args);
    void answer.then(() => pass(`${place}:after`), ignore);
    return answer;
  };
}

function isJob(answer: unknown): boolean {
  return Array.isArray(answer) && Array.isArray(answer[0]);
}

const ignore = (): void => undefined;

watchMongo();
watchRedis();
