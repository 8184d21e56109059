import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const LICENCE = /^(licen[cs]e|copying|notice)/i;

/** Writes the licences of the packages whose files are in the bundles. Their terms require it. */
export function writeLicences(root: string, dist: string, inputs: readonly string[]): void {
  const folders = new Set(inputs.flatMap((input) => PACKAGE.exec(input)?.[1] ?? []));
  const texts = [...folders].sort().map((folder) => textOf(`${root}${folder}`));
  writeFileSync(`${dist}/LICENCES.txt`, `The files in this folder contain these packages.\n\n${texts.join('\n')}`);
}

function textOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Record<
    string,
    string
  >;
  const files = readdirSync(folder).filter((file) => LICENCE.test(file));
  const licences = files.map((file) => readFileSync(`${folder}/${file}`, 'utf8').trim());
  return [`==== ${name} ${version} (${license})`, ...licences, ''].join('\n\n');
}
