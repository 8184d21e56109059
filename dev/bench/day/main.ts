import { runDay } from './day.ts';
import { readOptions } from './options.ts';
import { drawDay } from './report.ts';

const options = readOptions(process.argv.slice(2));
const report = await runDay(options, { log: (line) => process.stderr.write(`${line}\n`) });
process.stdout.write(`${options.json ? JSON.stringify(report, null, 2) : drawDay(report)}\n`);
process.exitCode = report.audit.violations.length > 0 ? 1 : 0;
