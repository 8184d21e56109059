import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import mongoose, { type Schema } from 'mongoose';
import { afterAll, describe, expect, it } from 'vitest';
import { environment } from '../../src/config.ts';
import { createModels } from '../../src/mongo/models.ts';
import { QUEUE_NAMES } from '../../src/queue/job.ts';

/** Words of an earlier vocabulary. The glossary in ARCHITECTURE.md has the words that replace them. */
const RETIRED_WORDS = new Set([
  ...['chunk', 'chunks', 'deed', 'deeds', 'desk', 'desks', 'hand', 'handed', 'holder', 'holders', 'laden', 'ledger'],
  ...['redrive', 'revival', 'revive', 'roster', 'seal', 'sealed', 'slip', 'slips', 'sweep', 'sweeps', 'swept', 'told'],
  ...['trail', 'trails', 'tray', 'trays', 'verdict', 'weather', 'wish', 'wishes'],
]);

/** Splits names such as `claimTray`, `CLAIM_TRAY`, `claim-tray.ts` and `claims:tray` into lower-case words. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z]+/)
    .map((word) => word.toLowerCase());
}

function withRetiredWords(names: Iterable<string>): string[] {
  return [...names].filter((name) => wordsOf(name).some((word) => RETIRED_WORDS.has(word)));
}

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');
const sources = files.filter((file) => /^(src|workers|dev|test)\/.*\.ts$/.test(file));
const textOf = (file: string): string => readFileSync(file, 'utf8');

function exportedNames(text: string): string[] {
  const declared = [...text.matchAll(/^export (?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm)];
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)];
  return [
    ...declared.map(([, name = '']) => name),
    ...lists.flatMap(([, names = '']) => names.split(',').map((name) => name.trim())),
  ];
}

/** Every path of a schema, with the paths of its subdocuments and of the documents in its arrays. */
function pathsOf(schema: Schema): string[] {
  return Object.entries(schema.paths).flatMap(([path, type]) => {
    const inner = (type as { readonly schema?: Schema }).schema;
    return inner ? [path, ...pathsOf(inner)] : [path];
  });
}

describe('the vocabulary', () => {
  const connection = mongoose.createConnection();
  afterAll(() => connection.close());

  it('has no retired word in the name of a file', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(withRetiredWords(files)).toEqual([]);
  });

  it('has no retired word in an exported name', () => {
    const names = sources.flatMap((file) => exportedNames(textOf(file)).map((name) => `${file} ${name}`));
    expect(names.length).toBeGreaterThan(300);
    expect(withRetiredWords(names)).toEqual([]);
  });

  it('has no retired word in a field that MongoDB stores', () => {
    const paths = Object.values(createModels(connection)).flatMap((model) => [
      model.collection.name,
      ...pathsOf(model.schema),
    ]);
    expect(paths).toContain('assigneeId');
    expect(withRetiredWords(paths)).toEqual([]);
  });

  it('has no retired word in a Redis key', () => {
    const keys = sources.flatMap((file) =>
      [...textOf(file).matchAll(/\$\{[^}`]*prefix\}((?::[a-z-]+|:\$\{[^}`]*\})+)/g)].map(([, key = '']) => key),
    );
    expect(keys.length).toBeGreaterThan(0);
    expect(withRetiredWords([...keys, ...QUEUE_NAMES])).toEqual([]);
  });

  it('has no retired word in an environment variable', () => {
    const names = Object.keys(environment.shape);
    expect(names).toContain('MONGODB_URI');
    expect(withRetiredWords(names)).toEqual([]);
  });
});
