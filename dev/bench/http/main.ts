import { writeFileSync } from 'node:fs';
import { table } from '../../../src/cli/terminal.ts';
import { BenchSandbox } from '../bench-sandbox.ts';
import { benchCommand, listOf, listOption, positive, wholeNumber } from '../options.ts';
import { benchExport } from './export.ts';
import { benchClaims, benchReads, benchRequests } from './parts.ts';
import { benchUpsert } from './rows.ts';
import { startServer } from './server.ts';
import { benchWatchers } from './watchers.ts';

const PARTS = {
  requests: "creating and reading an operation beside the producer's own enqueue",
  claims: 'fifty texters who claim ten each, over HTTP and by the producer',
  reads: 'a bulk operation beside a thousand mixed reads a second, and beside /livez',
  upsert: 'conversations added with one request, beside the import of the command line',
  export: 'a large campaign as CSV, alone and beside a slow reader',
  watchers: 'a bulk operation that a thousand clients watch',
};
const PART_NAMES: readonly string[] = Object.keys(PARTS);

interface Options {
  readonly parts: readonly string[];
  readonly requests: number;
  readonly seconds: number;
  readonly pool: number;
  readonly size: number;
  readonly readsPerSecond: number;
  readonly watchers: number;
  readonly rounds: number;
  readonly rows: number;
  readonly exported: number;
  readonly out?: string;
}

const options = benchCommand({
  name: 'bench:http',
  description:
    'Measures the HTTP API beside the producer, on the same services. Only ratios within one run say something.',
  parts: PARTS,
  example: '--parts watchers --watchers 100 --size 20000',
})
  .addOption(listOption('--parts <list>', 'parts, with commas', listOf(PART_NAMES), PART_NAMES))
  .option('--requests <number>', 'requests of each kind in the part requests', wholeNumber, 500)
  .option('--seconds <number>', 'how long each way of the part claims is measured', positive, 5)
  .option('--pool <number>', 'conversations of the pools in the part claims', wholeNumber, 100_000)
  .option('--size <number>', 'conversations of the bulk operations', wholeNumber, 100_000)
  .option('--reads-per-second <number>', 'reads beside an operation', wholeNumber, 1_000)
  .option('--watchers <number>', 'clients of the part watchers', wholeNumber, 1_000)
  .option('--rounds <number>', 'turns of each way in the parts claims and upsert', wholeNumber, 2)
  .option('--rows <number>', 'conversations of one request in the part upsert', wholeNumber, 100_000)
  .option('--exported <number>', 'conversations of the part export', wholeNumber, 1_000_000)
  .parse()
  .opts<Options>();

const bench = await BenchSandbox.open();
try {
  await bench.sandbox.setWorkers(1);
  const server = await startServer(bench.sandbox);
  try {
    await run({ bench, server });
  } finally {
    await server.stop();
  }
} finally {
  await bench.sandbox.close();
}

async function run(http: Parameters<typeof benchRequests>[0]): Promise<void> {
  const has = (part: keyof typeof PARTS): boolean => options.parts.includes(part);
  const report = {
    ...(has('requests') && { requests: await benchRequests(http, options.requests) }),
    ...(has('claims') && { claims: await benchClaims(http, options) }),
    ...(has('reads') && { reads: await benchReads(http, options.size, options.readsPerSecond) }),
    ...(has('upsert') && { upsert: await benchUpsert(http, options.rows, options.rounds) }),
    ...(has('export') && { export: await benchExport(http, options.exported) }),
    ...(has('watchers') && { watchers: [await benchWatchers(http, options.watchers, options.size)] }),
  };
  for (const [part, rows] of Object.entries(report)) print(part as keyof typeof PARTS, rows);
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(report, null, 2)}\n`);
}

function print(part: keyof typeof PARTS, rows: readonly object[]): void {
  const names = Object.keys(rows[0] ?? {});
  const cell = (value: unknown): string => (typeof value === 'number' ? value.toFixed(2) : String(value));
  const shown = rows.map((row) => Object.values(row).map(cell));
  process.stdout.write(`\n${PARTS[part]}\n${table(names, shown)}\n`);
}
