import { Presets, SingleBar } from 'cli-progress';
import type { Terminal } from './terminal.ts';

/** How far long work has come, where somebody watches. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

const UNSEEN: Progress = { update: () => undefined, stop: () => undefined };

export function isWatched({ stderr }: Terminal): boolean {
  return stderr.isTTY === true;
}

/** A bar on stderr when that is a terminal; nothing where it is not. */
export function progressBar(terminal: Terminal, what: string, total: number, unit = ''): Progress {
  if (!isWatched(terminal) || total <= 0) return UNSEEN;
  const format = `${what} {bar} {percentage}% | {value} of {total}${unit} | {eta_formatted} left`;
  const stream = terminal.stderr as NodeJS.WriteStream;
  const bar = new SingleBar({ stream, format, clearOnComplete: true, fps: 5 }, Presets.shades_classic);
  bar.start(total, 0);
  return { update: (done) => bar.update(Math.min(done, total)), stop: () => bar.stop() };
}
