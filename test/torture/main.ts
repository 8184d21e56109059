import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { table } from '../../src/cli/terminal.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { EVERY_FAULT } from './faults.ts';
import { torture, type TortureReport } from './torture.ts';

const SIZE = {
  campaigns: 4,
  texters: 10,
  conversations: 1_500,
  senders: { bulk: 3, single: 2, claim: 6, undo: 1, cancel: 1 },
};

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly workers: number;
  readonly out?: string;
}

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

const program = new Command('npm run torture --')
  .description(
    'Kills, freezes and empties workers, Redis and the database at random while operations, claims, undos and ' +
      'cancellations run. Then checks every conversation, receipt and answer. The exit code is 1 if a check fails. ' +
      'The test starts a Redis and a database of its own, which needs root on Linux.',
  )
  .option('--minutes <number>', 'inject faults for this long', number, 5)
  .option('--seed <number>', 'repeat the faults and requests of an earlier run', number, Date.now() % 1_000_000)
  .option('--workers <number>', 'how many worker processes run', number, 3)
  .option('--out <file>', 'write the report to a JSON file');

function reportTable({ checked, faults, violations, refusals, ...numbers }: TortureReport): string {
  const { seed, seconds, sent, answered, sentAgain, retried, statusChanges } = numbers;
  const rows: [string, number][] = [
    ['seed', seed],
    ['seconds', Math.round(seconds)],
    ...Object.entries(faults).map(([name, times]): [string, number] => [`fault: ${name}`, times]),
    ['all faults', Object.values(faults).reduce((sum, times) => sum + times, 0)],
    ['requests sent', sent],
    ['requests answered', answered],
    ['requests sent again', sentAgain],
    ...Object.entries(refusals).map(([code, times]): [string, number] => [`refused with ${code}`, times]),
    ['failed operations retried', retried],
    ['status changes by another program', statusChanges],
    ...Object.entries(checked).map(([name, times]): [string, number] => [`${name} checked`, times]),
    ['violations', violations.length],
  ];
  return table(['what', 'number'], rows);
}

const { minutes, seed, workers, out } = program.parse().opts<Options>();
if (!areOwnServicesPossible) program.error('error: the torture test needs root on Linux, and servers that it can kill');
const report = await torture({
  seed,
  minutes,
  faultsMin: 0,
  workers,
  size: SIZE,
  faults: EVERY_FAULT,
  log: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${reportTable(report)}\n${report.violations.map((line) => `${line}\n`).join('')}`);
if (out !== undefined) writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
process.exit(report.violations.length > 0 ? 1 : 0);
