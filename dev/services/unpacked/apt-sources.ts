import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One place a machine's own apt looks at: where it is and which suites it takes from there. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
}

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

/** Names Debian gives its releases besides their codenames; a machine may have been set up with one of these. */
const ROLLING_SUITES = ['stable', 'testing', 'unstable', 'sid'];

/**
 * The Debian mirror this machine already uses: the entry whose suites name the machine's own release. Security, backports
 * and third-party entries name other suites (`bookworm-security`, `nodistro`) and so fall out by themselves.
 */
export function findMirror(files: readonly SourceFile[], codename: string): string | undefined {
  const sources = files.flatMap(parseSourceFile);
  for (const suite of [codename, ...ROLLING_SUITES]) {
    const mirror = sources.find((source) => source.suites.includes(suite))?.uris.find(isMirror);
    if (mirror !== undefined) return mirror.replace(/\/+$/, '');
  }
  return undefined;
}

/** Not a CD, and not a list of mirrors: something that can be written into another sources file as it stands. */
function isMirror(uri: string): boolean {
  return /^(https?|file):/.test(uri);
}

export function parseSourceFile({ name, text }: SourceFile): readonly AptSource[] {
  return name.endsWith('.sources') ? parseStanzas(text) : parseOneLine(text);
}

/** `deb [options] URI suite component…`, one entry a line (sources.list(5)). */
function parseOneLine(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+\S/.exec(line);
    return match === null ? [] : [{ uris: [match[1] ?? ''], suites: [match[2] ?? ''] }];
  });
}

/** deb822: stanzas of `Field: values`, parted by empty lines; a line that starts with a blank continues the field. */
function parseStanzas(text: string): readonly AptSource[] {
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = parseFields(stanza);
    const isOff = fields.get('enabled')?.[0] === 'no';
    if (isOff || fields.get('types')?.includes('deb') !== true) return [];
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

/** The machine's own sources files; none where there is no apt. */
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
