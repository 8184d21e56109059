import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Terminal } from './terminal.ts';

const SIGNAL_EXIT_BASE = 128;
const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A main file, by its path from the root, without the ending: .ts in the source and .js when built. */
export interface ProcessMain {
  readonly path: string;
  readonly flags: readonly string[];
}

/** Runs processes until a signal stops them. When one exits, the others are stopped. Returns the first exit status. */
export async function runProcesses({ env }: Terminal, mains: readonly ProcessMain[]): Promise<number> {
  const children = mains.map(({ path, flags }) => {
    const main = fileOf(path);
    // Each process gets its own process group. Otherwise each Ctrl-C would reach it twice, from the terminal and from here,
    // and half as many would end it by force.
    return spawn(process.execPath, [...process.execArgv, ...flags, main], { stdio: 'inherit', env, detached: true });
  });
  const forward = (signal: NodeJS.Signals): void => children.forEach((child) => void child.kill(signal));
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  try {
    const ends = children.map(endOf);
    const first = await Promise.race(ends);
    forward('SIGTERM');
    await Promise.all(ends);
    return first;
  } finally {
    for (const signal of FORWARDED_SIGNALS) process.off(signal, forward);
  }
}

/** The ways from this file to the root: in the sources, and in a bundle, whose shared parts are one folder up. */
const WAYS_TO_ROOT = ['../../', '../'];

function fileOf(path: string): string {
  const file = path + extname(import.meta.url);
  const files = WAYS_TO_ROOT.map((way) => fileURLToPath(new URL(way + file, import.meta.url)));
  const found = files.find((each) => existsSync(each));
  if (found === undefined) throw new Error(`this installation lacks the file ${file}`);
  return found;
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? SIGNAL_EXIT_BASE + constants.signals[signal ?? 'SIGTERM']));
  });
}
