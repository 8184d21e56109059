import { WORKER_NODE_FLAGS } from '../../src/worker-flags.ts';

/** What one word after `node dev/run.mjs` does. A new command is one line in the table below. */
export interface Command {
  /** `own`: found or started for the command and stopped with it. `running`: those of an `npm start`, if one runs. */
  readonly services: 'own' | 'running';
  /** Steps that need no services; the first that fails ends the command. */
  readonly first?: readonly Step[];
  /** Steps that need the services. The first that fails ends the command. */
  readonly prepare?: readonly Step[];
  readonly run: Step;
  /** Tells other terminals where the services are. */
  readonly announce?: boolean;
}

/** A process; what follows the command's name on the command line is added to the arguments of the last one. */
export interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const tsx = (main: string, flags: readonly string[] = []): Step => ({
  name: main,
  command: [process.execPath, ...flags, '--import', 'tsx', main],
});

const script = (name: string): Step => ({ name, command: ['npm', 'run', '--silent', name] });

const vitest: Step = { name: 'tests', command: [process.execPath, 'node_modules/vitest/vitest.mjs', 'run'] };

const COMMANDS: Readonly<Record<string, Command>> = {
  test: { services: 'own', run: vitest },
  check: { services: 'own', first: ['format:check', 'lint', 'types', 'circles', 'unused'].map(script), run: vitest },
  demo: { services: 'own', run: tsx('dev/demo/main.ts') },
  bench: { services: 'own', run: tsx('dev/bench/main.ts') },
  'bench:claims': { services: 'own', run: tsx('dev/bench/claims.ts') },
  'bench:fairness': { services: 'own', run: tsx('dev/bench/fairness.ts') },
  torture: { services: 'running', run: tsx('test/torture/main.ts') },
  start: {
    services: 'own',
    announce: true,
    prepare: [{ name: 'baton migrate', command: [...tsx('src/cli/main.ts').command, 'migrate'] }],
    run: tsx('workers/main.ts', WORKER_NODE_FLAGS),
  },
  baton: { services: 'running', run: tsx('src/cli/main.ts') },
};

export function findCommand(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

export const commandNames: readonly string[] = Object.keys(COMMANDS);
