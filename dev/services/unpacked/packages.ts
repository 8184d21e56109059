import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../processes.ts';
import { recipe } from './recipe.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/**
 * Downloads the packages of the recipe into `folder`. Uses the machine's apt with its proxy, keys and mirror, but with
 * separate package lists and a separate package database, so that the machine's own ones do not change.
 */
export async function downloadPackages(mirror: string, folder: string): Promise<void> {
  const apt = prepareApt(mirror, folder);
  await runTool([...apt, 'update']);
  const all = await resolvePackages(apt);
  const assumed = all.filter(({ name }) => new RegExp(recipe.assumedInstalled).test(name));
  writeFileSync(statusFile(folder), assumed.map(asInstalled).join(''));
  const names = (await resolvePackages(apt)).map(({ name }) => name).filter((name) => !isExcluded(name));
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
    // The mirror may be a snapshot whose release file has expired. Apt still checks the signature.
    'Acquire::Check-Valid-Until': 'false',
  };
  return ['apt-get', '-qq', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

async function resolvePackages(apt: readonly string[]): Promise<readonly Package[]> {
  const lines = await runTool([...apt, 'install', '--yes', '--print-uris', ...recipe.packages]);
  return parsePrintedUris(lines);
}

/** Reads lines of `'URI' name_version_architecture.deb size checksum` and ignores other lines. */
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

function isExcluded(name: string): boolean {
  return recipe.excludedPackages.some((pattern) => new RegExp(pattern).test(name));
}
