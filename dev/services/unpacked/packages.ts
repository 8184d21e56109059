import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { recipe } from './recipe.ts';
import { runTool } from './run-tool.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** A package as apt names its file: name, version, architecture. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/**
 * Downloads what the recipe lists into `folder`, with the machine's own apt (its proxy, its keys, its mirror) but with
 * lists and a package database of our own: the machine's are neither read nor written, and nothing is installed.
 */
export async function downloadPackages(mirror: string, folder: string): Promise<void> {
  const apt = prepareApt(mirror, folder);
  await runTool([...apt, 'update']);
  const everything = await resolve(apt);
  const pretended = everything.filter(({ name }) => new RegExp(recipe.pretended).test(name));
  writeFileSync(statusFile(folder), pretended.map(asInstalled).join(''));
  const names = (await resolve(apt)).filter(({ name }) => !isLeftOut(name)).map(({ name }) => name);
  await runTool([...apt, 'download', ...names], { cwd: folder });
}

const statusFile = (folder: string): string => join(folder, 'apt', 'status');

function prepareApt(mirror: string, folder: string): readonly string[] {
  const apt = join(folder, 'apt');
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, part), { recursive: true });
  const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
  writeFileSync(join(apt, 'sources.list'), `deb ${signed}${mirror} ${recipe.release} main\n`);
  writeFileSync(statusFile(folder), '');
  const options = {
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State': apt,
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::State::status': statusFile(folder),
    'Dir::Cache': apt,
    'APT::Default-Release': '',
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    // A mirror may be a snapshot, older than the release file's own term. Its signature is checked all the same.
    'Acquire::Check-Valid-Until': 'false',
  };
  return ['apt-get', '-qq', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

async function resolve(apt: readonly string[]): Promise<readonly Package[]> {
  const lines = await runTool([...apt, 'install', '--yes', '--print-uris', ...recipe.packages]);
  return parsePrintedUris(lines);
}

/** `'URI' name_version_architecture.deb size checksum`, one package a line. */
export function parsePrintedUris(text: string): readonly Package[] {
  return text.split('\n').flatMap((line) => {
    const [name, version, architecture] = (/^'\S+' (\S+)\.deb /.exec(line)?.[1] ?? '').split('_');
    if (name === undefined || version === undefined || architecture === undefined) return [];
    return [{ name, version: decodeURIComponent(version), architecture }];
  });
}

function asInstalled({ name, version, architecture }: Package): string {
  return `Package: ${name}\nStatus: install ok installed\nArchitecture: ${architecture}\nVersion: ${version}\n\n`;
}

function isLeftOut(name: string): boolean {
  return recipe.leftOut.some((pattern) => new RegExp(pattern).test(name));
}
