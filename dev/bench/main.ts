import { writeFileSync } from 'node:fs';
import { BenchSandbox } from './bench-sandbox.ts';
import type { BulkRow } from './bulk.ts';
import { benchCommand, listOf, listOption, wholeNumber, wholeNumbers } from './options.ts';
import { PART_NAMES, PARTS, type Part, type PartName } from './parts.ts';
import { drawPlot } from './plot.ts';
import { FULL, SMOKE, type Scope } from './scope.ts';

const DEFAULT_PARTS: readonly PartName[] = ['start', 'trips', 'bulk', 'single', 'scale'];

interface Options {
  readonly parts: readonly PartName[];
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly queued: number;
  readonly smoke: boolean;
  readonly svg?: string;
  readonly out?: string;
}

const options = benchCommand({
  name: 'bench',
  description: 'Measures operations, and compares them with raw writes on the same database.',
  parts: Object.fromEntries(PART_NAMES.map((name) => [name, PARTS[name].what])),
  example: '--parts bulk --sizes 20000 --rounds 1',
})
  .addOption(listOption('--parts <list>', 'parts, with commas', listOf(PART_NAMES), DEFAULT_PARTS))
  .addOption(listOption('--sizes <list>', 'conversations of the part bulk', wholeNumbers, FULL.sizes))
  .option('--rounds <number>', 'how often each figure is measured', wholeNumber, FULL.rounds)
  .option('--queued <number>', 'operations that wait in the part queue', wholeNumber, FULL.queue.many)
  .option('--svg <file>', 'draw a chart of the part bulk')
  .option('--smoke', 'run with a few hundred conversations, to check that it works', false)
  .parse()
  .opts<Options>();

function scopeOf({ smoke, sizes, rounds, queued }: Options): Scope {
  if (smoke) return SMOKE;
  const queue = { ...FULL.queue, many: queued, measured: Math.min(queued, FULL.queue.measured) };
  return { ...FULL, sizes: [...sizes], rounds, queue };
}

const bench = await BenchSandbox.open();
try {
  const report: Record<string, unknown> = {};
  for (const name of PART_NAMES.filter((each) => options.parts.includes(each))) {
    const part: Part = PARTS[name];
    // Every part begins with new processes.
    await bench.sandbox.setWorkers(part.workers);
    const { result, drawn } = await part.measure(bench, scopeOf(options));
    report[part.key] = result;
    process.stdout.write(`\n${part.what}\n${drawn}\n`);
  }
  if (options.svg !== undefined) writeFileSync(options.svg, await drawPlot((report['bulk'] ?? []) as BulkRow[]));
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await bench.sandbox.close();
}
