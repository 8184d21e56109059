import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One package source of the machine's apt configuration. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
}

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

/** Names that a source may use instead of the codename of the release. */
const ROLLING_SUITES = ['stable', 'testing', 'unstable', 'sid'];

/**
 * Finds the Debian mirror that this machine already uses: the source whose suites include the machine's release. Security,
 * backports and third-party sources have other suites (`bookworm-security`, `nodistro`).
 */
export function findMirror(files: readonly SourceFile[], codename: string): string | undefined {
  const sources = files.flatMap(parseSourceFile);
  for (const suite of [codename, ...ROLLING_SUITES]) {
    const mirror = sources.find((source) => source.suites.includes(suite))?.uris.find(isMirror);
    if (mirror !== undefined) return mirror.replace(/\/+$/, '');
  }
  return undefined;
}

/** Excludes CDs and lists of mirrors, which another sources file cannot use. */
function isMirror(uri: string): boolean {
  return /^(https?|file):/.test(uri);
}

export function parseSourceFile({ name, text }: SourceFile): readonly AptSource[] {
  return name.endsWith('.sources') ? parseStanzas(text) : parseOneLine(text);
}

/** Reads lines of `deb [options] URI suite component…`; see sources.list(5). */
function parseOneLine(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+\S/.exec(line);
    return match === null ? [] : [{ uris: [match[1] ?? ''], suites: [match[2] ?? ''] }];
  });
}

/** Reads deb822 stanzas: `Field: values` lines, separated by empty lines; an indented line continues its field. */
function parseStanzas(text: string): readonly AptSource[] {
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = parseFields(stanza);
    const isDisabled = fields.get('enabled')?.[0] === 'no';
    if (isDisabled || fields.get('types')?.includes('deb') !== true) return [];
    return [{ uris: fields.get('uris') ?? [], suites: fields.get('suites') ?? [] }];
  });
}

function parseFields(stanza: string): ReadonlyMap<string, readonly string[]> {
  const joined = stanza.replace(/\n[ \t]+/g, ' ');
  return new Map(
    joined.split('\n').flatMap((line) => {
      const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
      return match === null ? [] : [[(match[1] ?? '').toLowerCase(), (match[2] ?? '').trim().split(/\s+/)] as const];
    }),
  );
}

/** Returns the machine's sources files, or none on a machine without apt. */
export function readSourceFiles(etcApt: string): readonly SourceFile[] {
  const parts = join(etcApt, 'sources.list.d');
  const names = [join(etcApt, 'sources.list'), ...listFolder(parts).map((name) => join(parts, name))];
  return names
    .filter((name) => /\.(list|sources)$/.test(name))
    .flatMap((name) => {
      const text = readText(name);
      return text === undefined ? [] : [{ name, text }];
    });
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
