/** What `--help` prints: each option, with what it means and its default. */
interface BenchHelp {
  readonly command: string;
  readonly what: string;
  readonly options: Readonly<Record<string, string>>;
  readonly parts?: Readonly<Record<string, string>>;
  readonly example: string;
}

const COMMON = {
  '--out FILE': 'also write the report as JSON',
  '--help': 'print this text',
};

/** Prints the help and ends the process when the arguments ask for it. Needs no service. */
export function answerHelp(help: BenchHelp, args: readonly string[] = process.argv.slice(2)): void {
  if (!args.includes('--help') && !args.includes('-h')) return;
  process.stdout.write(`${helpText(help)}\n`);
  process.exit(0);
}

function helpText({ command, what, options, parts, example }: BenchHelp): string {
  return [
    `Usage: npm run ${command} -- [options]`,
    ...['', what],
    ...['', 'Options:', ...rows({ ...options, ...COMMON })],
    ...(parts === undefined ? [] : ['', 'Parts:', ...rows(parts)]),
    ...['', 'Example:', `  npm run ${command} -- ${example}`],
  ].join('\n');
}

function rows(entries: Readonly<Record<string, string>>): string[] {
  const width = Math.max(...Object.keys(entries).map((name) => name.length));
  return Object.entries(entries).map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
}
