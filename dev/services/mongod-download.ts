import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { log } from './messages.ts';
import { killedWithParent, spawnChild, stopChild, type Child } from './processes.ts';
import { cacheFolder } from './unpacked/cache.ts';

/** What mongod-download-main.ts sends. */
export type DownloadReport =
  | { readonly path: string }
  | { readonly problem: string }
  | { readonly waits: true }
  | { readonly doneBytes: number; readonly totalBytes: number };

/** There is no downloaded `mongod`. The message says why. */
export class DownloadProblem extends Error {
  override readonly name = 'DownloadProblem';
}

const MAIN = new URL('mongod-download-main.ts', import.meta.url).pathname;
/** After this time without a first byte, another MongoDB is used. */
const ANSWER_TIMEOUT_MS = 5_000;
/** The library gives up earlier, after a minute without a byte. */
const SILENT_TIMEOUT_MS = 120_000;
const PROGRESS_EVERY_MS = 5_000;
const REMEMBERED_MS = 24 * 60 * 60 * 1000;
const MEBIBYTE = 1024 * 1024;

/** Returns the path of a real `mongod`. Downloads it on first use, or throws within 5 s when the download does not answer. */
export async function downloadedMongod(): Promise<string> {
  const child = spawnChild(killedWithParent([process.execPath, '--import', 'tsx', MAIN]), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  try {
    const path = await followReports(child);
    rmSync(memoryFile(), { force: true });
    return path;
  } catch (error) {
    if (error instanceof DownloadProblem) remember(error.message);
    throw error;
  } finally {
    await stopChild(child, []);
  }
}

function followReports(child: Child): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (problem: string): void => {
      reject(new DownloadProblem(problem));
    };
    let timer = setTimeout(fail, ANSWER_TIMEOUT_MS, 'the download of MongoDB did not answer');
    const print = progressPrinter();
    child.process.on('message', (report: DownloadReport) => {
      clearTimeout(timer);
      if ('path' in report) resolve(report.path);
      else if ('problem' in report) fail(`MongoDB cannot be downloaded: ${reasonIn(report.problem)}`);
      else timer = setTimeout(fail, SILENT_TIMEOUT_MS, 'the download of MongoDB stopped');
      print(report);
    });
    void child.closed.then(() => {
      clearTimeout(timer);
      fail('the process that downloads MongoDB has ended');
    });
  });
}

function progressPrinter(): (report: DownloadReport) => void {
  let printedAt: number | undefined;
  return (report) => {
    if ('waits' in report) log('waiting for another command, which is downloading MongoDB…');
    if (!('doneBytes' in report) || Date.now() < (printedAt ?? 0) + PROGRESS_EVERY_MS) return;
    if (printedAt === undefined) log('first start on this machine: downloading MongoDB…');
    printedAt = Date.now();
    const [done, total] = [report.doneBytes, report.totalBytes].map((bytes) => Math.round(bytes / MEBIBYTE));
    log(`downloading MongoDB: ${done} of ${total} MiB`);
  };
}

/** The library explains at length. The reason is the first line, or the line after `Details:`. */
function reasonIn(text: string): string {
  return (/Details:\s*(.+)/.exec(text) ?? /(.*)/.exec(text))?.[1] ?? text;
}

function memoryFile(): string {
  return join(cacheFolder(), 'mongod-download.json');
}

function remember(problem: string): void {
  writeFileSync(memoryFile(), JSON.stringify({ at: Date.now(), problem }));
}

/** Why the last download failed. `undefined` when there was none within a day: the download is then tried. */
export function rememberedDownloadProblem(): string | undefined {
  try {
    const { at, problem } = JSON.parse(readFileSync(memoryFile(), 'utf8')) as { at: number; problem: string };
    const isRecent = at <= Date.now() && at > Date.now() - REMEMBERED_MS;
    return isRecent ? `${problem} (tried again after a day, or when ${memoryFile()} is deleted)` : undefined;
  } catch {
    return undefined;
  }
}
