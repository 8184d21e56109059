/** A command of `node dev/run.mjs`, for example `test`. To add a command, add a line to COMMANDS. */
export interface Command {
  /** `own`: services for this command only, stopped when it ends. `announced`: the services of a running `npm start`. */
  readonly services: 'own' | 'announced';
  /** Steps that run before the services start. The first failure ends the command. */
  readonly first?: readonly Step[];
  /** Steps that need the services. The first failure ends the command. */
  readonly prepare?: readonly Step[];
  readonly run: Step;
  /** Further variables for the services and for the steps. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stores the addresses of the services for commands with `announced` services. */
  readonly announce?: boolean;
  /** Takes `--keep DIR` for the data of the services, and no other arguments. */
  readonly keeps?: boolean;
  /** Answers `--help` without services. */
  readonly helps?: boolean;
}

/** One process. Further arguments of the command line go to the `run` step. */
export interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const tsx = (main: string): Step => ({ name: main, command: [process.execPath, '--import', 'tsx', main] });

const script = (name: string): Step => ({ name, command: ['npm', 'run', '--silent', name] });

const vitest = (project: 'main' | 'faults'): Step => ({
  name: 'tests',
  command: [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', '--project', project],
});

const COMMANDS: Readonly<Record<string, Command>> = {
  test: { services: 'own', run: vitest('main') },
  'test:faults': {
    services: 'own',
    // As in MongoDB, a killed process must not count on a server that ends its transaction at once.
    env: { BATON_DEV_KEEP_TRANSACTIONS_OF_LOST_CLIENTS: '1' },
    run: vitest('faults'),
  },
  check: {
    services: 'own',
    first: ['format:check', 'lint', 'types', 'circles', 'unused', 'contract'].map(script),
    run: vitest('main'),
  },
  demo: { services: 'own', run: tsx('dev/demo/main.ts') },
  record: { services: 'own', run: tsx('dev/record/main.ts') },
  bench: { services: 'own', run: tsx('dev/bench/main.ts'), helps: true },
  'bench:claims': { services: 'own', run: tsx('dev/bench/claims.ts'), helps: true },
  'bench:day': { services: 'own', run: tsx('dev/bench/day/main.ts'), helps: true },
  'bench:fairness': { services: 'own', run: tsx('dev/bench/fairness.ts'), helps: true },
  'bench:http': { services: 'own', run: tsx('dev/bench/http/main.ts'), helps: true },
  torture: { services: 'announced', run: tsx('test/torture/main.ts') },
  start: {
    services: 'own',
    announce: true,
    keeps: true,
    prepare: [{ name: 'baton migrate', command: [...tsx('src/cli/main.ts').command, 'migrate'] }],
    run: tsx('dev/start-main.ts'),
  },
  build: { services: 'announced', run: tsx('dev/build/main.ts') },
};

export function findCommand(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

export const commandNames: readonly string[] = Object.keys(COMMANDS);
