import { Command } from 'commander';
import { notNegative, positive, wholeNumber } from '../options.ts';

/** The size and the events of a simulated day. */
export interface DayOptions {
  readonly texters: number;
  readonly contacts: number;
  /** The messages that each texter sends in a second. */
  readonly actions: number;
  readonly workers: number;
  /** The seconds between two kills of a worker; 0 for none. */
  readonly kills: number;
  readonly minutes: number;
  /** The seconds between two operations of administrators. */
  readonly every: number;
  readonly seed: number;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  npm run bench:day -- --minutes 2
  npm run bench:day -- --texters 300 --actions 1 --contacts 100000
  npm run --silent bench:day -- --kills 60 --json > day.json

Ends with status 1 if the audit finds anything wrong.`;

/** Reads the arguments of the command line. Prints the help and exits when they ask for it or are not valid. */
export function readOptions(args: readonly string[]): DayOptions {
  const command = new Command('bench:day')
    .description('Simulates a day of a campaign, prints how long people waited, and audits the result.')
    .option('--texters <number>', 'texters of the campaign', wholeNumber, 60)
    .option('--contacts <number>', 'contacts at the beginning of the day', wholeNumber, 30_000)
    .option('--actions <number>', 'messages that each texter sends in a second', positive, 4)
    .option('--workers <number>', 'worker processes', wholeNumber, 2)
    .option('--kills <seconds>', 'kill a worker every so many seconds; 0 for never', notNegative, 0)
    .option('--minutes <number>', 'length of the day', positive, 4)
    .option('--every <seconds>', 'seconds between two operations of administrators', positive, 3)
    .option('--seed <number>', 'the same seed makes the same choices', wholeNumber, 1)
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', EXAMPLES);
  command.parse([...args], { from: 'user' });
  return command.opts<DayOptions>();
}
