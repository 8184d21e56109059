import { readFileSync } from 'node:fs';
import { stopTied, type Ladder, type Tied } from './children.ts';
import { becomes } from './ports.ts';
import { tail } from './unpacked/run-tool.ts';

/** A private server that tests may be cruel to: it keeps its port and its data through `kill` and `restart`. */
export interface KeptServer {
  readonly pid: number;
  readonly port: number;
  /** Sends a signal; for all but SIGSTOP and SIGCONT, comes back when the server is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops the server if it still runs, starts it on the same data and port, and comes back when it answers. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServerPlan {
  readonly name: string;
  readonly port: number;
  readonly logFile: string;
  readonly stopLadder: Ladder;
  spawn(): Tied;
  /** Whether the server answers, and is the one with this process id. */
  answers(pid: number): Promise<boolean>;
}

const READY_WITHIN_MS = 30_000;
const READY_POLL_MS = 20;
const SIGNALS_THAT_LEAVE_IT_ALIVE: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT'];

export async function keepServer(plan: ServerPlan): Promise<KeptServer> {
  let child = await start(plan);
  return {
    port: plan.port,
    get pid() {
      return child.pid;
    },
    async kill(signal) {
      child.process.kill(signal);
      if (!SIGNALS_THAT_LEAVE_IT_ALIVE.includes(signal)) await child.gone;
    },
    async restart() {
      await stopTied(child, plan.stopLadder);
      child = await start(plan);
    },
    stop: () => stopTied(child, plan.stopLadder),
  };
}

async function start(plan: ServerPlan): Promise<Tied> {
  const child = plan.spawn();
  const isReady = await becomes(() => plan.answers(child.pid), {
    withinMs: READY_WITHIN_MS,
    everyMs: READY_POLL_MS,
    hasGivenUp: () => child.isGone(),
  });
  if (isReady && !child.isGone()) return child;
  await stopTied(child, []);
  throw new Error(`${plan.name} did not start on port ${plan.port}; the end of its log:\n${readTail(plan.logFile)}`);
}

function readTail(file: string): string {
  try {
    return tail(readFileSync(file, 'utf8'));
  } catch {
    return '(no log)';
  }
}
