/**
 * Finds or downloads a `mongod` and sends its path to mongod-download.ts. It is a process of its own, because the library
 * writes to stdout and cannot be interrupted.
 */
import { existsSync } from 'node:fs';
import { DryMongoBinary } from 'mongodb-memory-server-core/lib/util/DryMongoBinary.js';
import { LockFile } from 'mongodb-memory-server-core/lib/util/lockfile.js';
import { MongoBinaryDownload } from 'mongodb-memory-server-core/lib/util/MongoBinaryDownload.js';
import { lockfilePath } from 'mongodb-memory-server-core/lib/util/utils.js';
import { errorMessage } from './messages.ts';
import type { DownloadReport } from './mongod-download.ts';

/** The library knows where MongoDB is for which system, follows a proxy, resumes a download and checks its sum. */
class ReportedDownload extends MongoBinaryDownload {
  override printDownloadProgress(chunk: { length: number }): void {
    this.dlProgress.current += chunk.length;
    report({ doneBytes: this.dlProgress.current, totalBytes: this.dlProgress.length });
  }
}

function report(message: DownloadReport): void {
  process.send?.(message);
}

async function findOrDownload(): Promise<string> {
  const options = await DryMongoBinary.generateOptions();
  const found = await DryMongoBinary.locateBinary(options);
  if (found !== undefined) return found;
  const file = lockfilePath(options.downloadDir, options.version);
  if (existsSync(file)) report({ waits: true });
  const lock = await LockFile.lock(file);
  try {
    return await new ReportedDownload(options).getMongodPath();
  } finally {
    await lock.unlock();
  }
}

// An attempt that fails is not repeated here: the next start continues it.
process.env['MONGOMS_MAX_RETRIES'] ??= '1';
try {
  report({ path: await findOrDownload() });
} catch (error) {
  report({ problem: errorMessage(error) });
}
process.disconnect();
