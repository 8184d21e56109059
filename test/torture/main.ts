import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { table } from '../../src/cli/terminal.ts';
import { areOwnServicesPossible } from '../support/own-services.ts';
import { EVERY_FAULT } from './faults.ts';
import { torture, type Tortured } from './torture.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    workers: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});

const SIZE = {
  campaigns: 4,
  texters: 10,
  conversations: 1_500,
  askers: { bulk: 3, single: 2, claim: 6, undo: 1, cancel: 1 },
};

function drawn({ checked, faults, violations, ...numbers }: Tortured): string {
  const { seed, seconds, asked, answered, sentAgain, retried, statusChanges, refusals } = numbers;
  const rows: [string, string | number][] = [
    ['seed', seed],
    ['seconds', seconds.toFixed(0)],
    ...Object.entries(faults).map(([name, times]): [string, number] => [`fault: ${name}`, times]),
    ['faults survived', Object.values(faults).reduce((sum, times) => sum + times, 0)],
    ['asked, answered, sent again', `${asked}, ${answered}, ${sentAgain}`],
    ['given up and retried', retried],
    ['status changes meanwhile', statusChanges],
    ['refused', JSON.stringify(refusals)],
    ...Object.entries(checked).map(([name, times]): [string, number] => [`${name} checked`, times]),
    ['violations', violations.length],
  ];
  return table(['what', 'number'], rows);
}

if (!areOwnServicesPossible)
  throw new Error('expected to run as root on Linux, where servers of its own can be killed');
const tortured = await torture({
  seed: Number(values.seed),
  minutes: Number(values.minutes),
  strikes: 0,
  workers: Number(values.workers),
  size: SIZE,
  faults: EVERY_FAULT,
  say: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${drawn(tortured)}\n${tortured.violations.join('\n')}\n`);
if (values.out) writeFileSync(values.out, `${JSON.stringify(tortured, null, 2)}\n`);
process.exit(tortured.violations.length > 0 ? 1 : 0);
