import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { campaignSchema, conversationSchema, texterSchema } from '../../src/mongo/campaign-schemas.ts';

const SCHEMAS = { campaign: campaignSchema, texter: texterSchema, conversation: conversationSchema };
/** Every document has an id: MongoDB gives one to a document without. */
const ID = '_id';

const text = readFileSync(new URL('../../docs/other-programs.md', import.meta.url), 'utf8');

/** The fields that the rows of a kind of document name in the column of what is missing. */
function fieldsOf(kind: string): string[] {
  const rows = [...text.matchAll(new RegExp(`^\\| ${kind} +\\|([^|]*)\\|`, 'gm'))];
  const cells = rows.map(([, missing = '']) => missing).join(' ');
  return [
    ...[...cells.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
    ...(/contact fields/.test(cells) ? ['contact'] : []),
  ];
}

it.each(Object.entries(SCHEMAS))('the table for other programs has a row for every field of a %s', (kind, schema) => {
  const stored = new Set(Object.keys(schema.paths).map((path) => path.split('.')[0] ?? ''));
  stored.delete(ID);
  const named = new Set(fieldsOf(kind).filter((name) => name !== 'null'));
  expect([...named].toSorted()).toEqual([...stored].toSorted());
});
