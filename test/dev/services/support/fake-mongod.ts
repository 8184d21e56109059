/**
 * Stands for a `mongod` where none is installed: it understands the arguments, the commands that start a replica set, and
 * nothing else. It keeps the configuration of its set in the data folder, as MongoDB does.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deserialize, serialize, type Document } from 'bson';
import { Frames } from '../../../../dev/documentdb-server/protocol/frames.ts';
import { MESSAGE_LAYOUT, readMessage, replyParts } from '../../../../dev/documentdb-server/protocol/message.ts';

const { values } = parseArgs({
  options: {
    dbpath: { type: 'string', default: '' },
    port: { type: 'string', default: '27017' },
    bind_ip: { type: 'string', default: '' },
    nounixsocket: { type: 'boolean' },
    replSet: { type: 'string', default: '' },
    wiredTigerCacheSizeGB: { type: 'string' },
    setParameter: { type: 'string' },
  },
});
const configFile = join(values.dbpath, 'local.json');
const config = (): { _id: string; members: { host: string }[] } | undefined =>
  existsSync(configFile) ? (JSON.parse(readFileSync(configFile, 'utf8')) as ReturnType<typeof config>) : undefined;
const me = `${values.bind_ip}:${values.port}`;

const COMMANDS: Readonly<Record<string, (command: Document) => Document>> = {
  hello() {
    const isMember = config()?.members[0]?.host === me;
    const set = isMember ? { setName: config()?._id, hosts: [me], me, primary: me, setVersion: 1 } : {};
    return { ...set, isWritablePrimary: isMember, maxWireVersion: 25, minWireVersion: 0, maxBsonObjectSize: 2 ** 24 };
  },
  serverStatus: () => ({ pid: process.pid }),
  replSetInitiate(command) {
    if (config() !== undefined) return { ok: 0, code: 23, errmsg: 'already initialized' };
    writeFileSync(configFile, JSON.stringify(command['replSetInitiate']));
    return {};
  },
  endSessions: () => ({}),
};

function answer(command: Document): Document {
  const [name = ''] = Object.keys(command);
  const run = COMMANDS[name === 'isMaster' || name === 'ismaster' ? 'hello' : name];
  return { ok: 1, ...(run?.(command) ?? { ok: 0, code: 59, errmsg: `no such command: ${name}` }) };
}

function serve(socket: Socket): void {
  const frames = new Frames(MESSAGE_LAYOUT);
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    for (const message of frames.push(data).map(readMessage)) {
      const reply = Buffer.from(serialize(answer(deserialize(message.body))));
      for (const part of replyParts(message, reply, false)) socket.write(part);
    }
  });
}

const server = createServer(serve);
server.on('error', () => {
  console.log('{"s":"E","msg":"Failed to set up listener","attr":{"error":"Address already in use"}}');
  process.exit(48);
});
server.listen(Number(values.port), values.bind_ip);
process.once('SIGTERM', () => process.exit(0));
