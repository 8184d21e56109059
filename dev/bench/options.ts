import { Command, InvalidArgumentError, Option } from 'commander';

interface Described {
  /** As people type it after `npm run`. */
  readonly name: string;
  readonly description: string;
  readonly example: string;
  /** The parts of the benchmark, with what each measures. */
  readonly parts?: Readonly<Record<string, string>>;
}

/** The command line of a benchmark. Reading it answers `--help`, which needs no service. */
export function benchCommand({ name, description, example, parts }: Described): Command {
  const command = new Command(name)
    .usage('[options]')
    .description(description)
    .option('--out <file>', 'also write the report as JSON');
  return command.addHelpText('after', `${parts ? partsText(parts) : ''}\nExample:\n  npm run ${name} -- ${example}`);
}

function partsText(parts: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(parts).map((part) => part.length));
  const lines = Object.entries(parts).map(([part, what]) => `  ${part.padEnd(width)}  ${what}`);
  return `\nParts:\n${lines.join('\n')}\n`;
}

/** An option whose value is a list with commas. */
export function listOption<Item>(
  flags: string,
  description: string,
  parse: (text: string) => Item[],
  defaults: readonly Item[],
): Option {
  return new Option(flags, description).argParser(parse).default(defaults, defaults.join(','));
}

/** Reads names of parts that have commas between them. */
export function listOf<Name extends string>(known: readonly Name[]): (text: string) => Name[] {
  const isKnown = (name: string): name is Name => (known as readonly string[]).includes(name);
  return (text) => {
    const names = text.split(',');
    if (!names.every(isKnown)) throw new InvalidArgumentError(`It must be a list of ${known.join(', ')}.`);
    return names;
  };
}

/** Reads whole numbers that have commas between them. */
export function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber);
}

export function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('It must be a number of at least 0.');
  }
  return value;
}

export function positive(text: string): number {
  const value = notNegative(text);
  if (value === 0) throw new InvalidArgumentError('It must be more than 0.');
  return value;
}

export function wholeNumber(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}
