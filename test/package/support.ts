import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { copyCheckout, ROOT } from '../support/checkout-copy.ts';

const run = promisify(execFile);

/** What `npm pack` needs, and what it puts into the package. */
const PACKED = ['src', 'workers', 'dev', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
const DOCUMENTS = ['README.md', 'LICENSE', 'job.schema.json'];

/** Runs in a copy, because it writes `dist`, which other tests or a person may be using. */
async function pack(destination: string): Promise<{ readonly stdout: string }> {
  const { folder, remove } = await copyCheckout([...PACKED, ...DOCUMENTS]);
  return run('npm', ['pack', '--pack-destination', destination], { cwd: folder }).finally(remove);
}

/** A project of another team, which has installed the package from the file that `npm pack` makes. */
export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'baton-project-')));
    const { stdout } = await pack(project.folder);
    const packed = /^baton-texting-baton-.*\.tgz$/m.exec(stdout)?.[0] ?? '';
    await project.write('package.json', '{ "private": true, "type": "module" }');
    await project.run('npm', 'install', '--offline', '--no-audit', '--no-fund', `./${packed}`);
    return project;
  }

  async write(name: string, text: string): Promise<void> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** Runs a command in the folder and returns its stdout. Throws with its output when it fails. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    const options = { cwd: this.folder, env: { PATH: process.env['PATH'], HOME: this.folder } };
    const { stdout } = await run(command, args, options).catch((error: Error & { stdout?: string }) => {
      throw new Error(`${error.message}\n${error.stdout ?? ''}`);
    });
    return stdout;
  }

  node(...args: readonly string[]): Promise<string> {
    return this.run(process.execPath, ...args);
  }

  /** Checks the types of one file as strictly as TypeScript can, declarations of packages included. */
  async checkTypes(file: string, module: 'nodenext' | 'node16'): Promise<void> {
    const strict = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--skipLibCheck',
      'false',
    ];
    const options = ['--noEmit', '--module', module, '--target', 'es2022', ...strict];
    await this.node(`${ROOT}node_modules/typescript/bin/tsc`, ...options, file);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
