/** Runs the command line on real services and draws what a person would see. `npm run record` writes docs/session.svg. */
import { writeFileSync } from 'node:fs';
import { PassThrough, Readable, Writable } from 'node:stream';
import { runCli } from '../../src/cli/program.ts';
import { Sandbox } from '../sandbox.ts';
import { drawTerminal, type Screenful } from './draw-terminal.ts';

const COLUMNS = 80;
const FILE = new URL('../../docs/session.svg', import.meta.url);

const CONTACTS = `name,phone,status
Alma,+12025550101,needs-reply
Chris,+12025550102,needs-reply
Dana,+12025550103,not-started
Eli,+12025550104,not-started
Fatima,+12025550105,in-progress
Gus,+12025550106,closed
`;

/** Each line is a command as a person types it. */
const COMMANDS = [
  'baton import rally -',
  'baton reassign rally --from pool --to everyone --status any',
  'baton reassign rally --from Kevin --to Rebecca --status not-started --count 1',
  "baton reassign rally --conversation '(202) 555-0102' --to Kevin",
  'baton senders rally',
  'baton unassign rally --from Rebecca --confirm 3',
];

const sandbox = await Sandbox.open('record');
try {
  await sandbox.setWorkers(1);
  for (const args of [
    ['campaign', 'create', 'Rally', '--id', 'rally'],
    ['texter', 'add', 'rally', 'Kevin'],
    ['texter', 'add', 'rally', 'Rebecca'],
  ])
    await run(args);
  const screenfuls: Screenful[] = [];
  for (const command of COMMANDS) {
    const output = await run(wordsOf(command).slice(1));
    screenfuls.push({ command: command.replace(/ -$/, ' contacts.csv'), output });
  }
  writeFileSync(FILE, drawTerminal(screenfuls, COLUMNS));
} finally {
  await sandbox.close();
}

/** Single quotes are the only shell syntax of the commands. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

async function run(args: readonly string[]): Promise<string> {
  const { mongo, queue } = sandbox.config;
  const env = { MONGODB_URI: mongo.uri, REDIS_URL: queue.redisUrl, BATON_QUEUE_PREFIX: queue.prefix };
  let output = '';
  const stdout = new Writable({
    write: (data: Buffer, _encoding, done) => {
      output += data.toString();
      done();
    },
  });
  const stdin = Readable.from([Buffer.from(CONTACTS)]);
  const status = await runCli(args, {
    env: { ...env, COLUMNS: String(COLUMNS) },
    stdin,
    stdout,
    stderr: new PassThrough(),
  });
  if (status !== 0) throw new Error(`baton ${args.join(' ')} exited with ${status}: ${output}`);
  return output.trimEnd();
}
