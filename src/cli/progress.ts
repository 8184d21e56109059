import { Presets, SingleBar } from 'cli-progress';
import type { Face } from './terminal.ts';

/** How far long work has come, where somebody watches. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

const UNSEEN: Progress = { update: () => undefined, stop: () => undefined };

export function isWatched({ stderr }: Face): boolean {
  return stderr.isTTY === true;
}

/** A bar on stderr when that is a terminal; nothing where it is not. */
export function progressBar(face: Face, what: string, total: number, unit = ''): Progress {
  if (!isWatched(face) || total <= 0) return UNSEEN;
  const format = `${what} {bar} {percentage}% | {value} of {total}${unit} | {eta_formatted} left`;
  const stream = face.stderr as NodeJS.WriteStream;
  const bar = new SingleBar({ stream, format, clearOnComplete: true, fps: 5 }, Presets.shades_classic);
  bar.start(total, 0);
  return { update: (done) => bar.update(Math.min(done, total)), stop: () => bar.stop() };
}
