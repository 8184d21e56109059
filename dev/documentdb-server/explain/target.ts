import { deserialize, serialize, type Document } from 'bson';
import { CODE, CommandError } from '../errors.js';
import { elementsOf, BSON_TYPE } from '../protocol/bson-walk.js';

/** What an explain is about: DocumentDB plans finds, pipelines, counts and distincts; writes are explained by their filter. */
export interface ExplainTarget {
  kind: 'find' | 'pipeline' | 'count' | 'distinct';
  collection: string;
  command: Document;
  /** The command as DocumentDB plans it. */
  spec: Buffer;
  /** The stage MongoDB puts above the plan of a write. */
  above: string | undefined;
  sort: Document | undefined;
}

const KINDS = new Map<string, ExplainTarget['kind']>([
  ['find', 'find'],
  ['aggregate', 'pipeline'],
  ['count', 'count'],
  ['distinct', 'distinct'],
]);

/** `body` is the explain command or, for an aggregate with `explain: true`, the aggregate itself. */
export function explainTarget(body: Buffer): ExplainTarget {
  const spec = explainedCommand(body);
  const command = deserialize(spec);
  const [name = ''] = Object.keys(command);
  const collection = String(command[name]);
  const kind = KINDS.get(name);
  if (kind !== undefined) {
    const sort =
      kind === 'pipeline' ? pipelineSort(command['pipeline'] as Document[]) : (command['sort'] as Document | undefined);
    return { kind, collection, command, spec, above: undefined, sort };
  }
  const find = findOfWrite(name, command);
  if (find === undefined)
    throw new CommandError(CODE.commandNotFound, `Explain failed due to unknown command: ${name}`);
  const sort = find['sort'] as Document | undefined;
  return { kind: 'find', collection, command, spec: Buffer.from(serialize(find)), above: aboveOf(name, command), sort };
}

function explainedCommand(body: Buffer): Buffer {
  for (const { type, key, at, end } of elementsOf(body)) {
    if (key === 'explain' && type === BSON_TYPE.document) return body.subarray(at, end);
  }
  return body;
}

function pipelineSort(pipeline: Document[] = []): Document | undefined {
  return pipeline.find((step) => '$sort' in step)?.['$sort'] as Document | undefined;
}

function findOfWrite(name: string, command: Document): Document | undefined {
  const statements = (command['updates'] ?? command['deletes']) as Document[] | undefined;
  const [statement] = statements ?? [];
  if (name === 'findAndModify') {
    const { query = {}, sort, hint } = command;
    return withoutUndefined({
      find: command[name] as string,
      filter: query as Document,
      sort: sort as unknown,
      hint: hint as unknown,
      limit: 1,
    });
  }
  if ((name !== 'update' && name !== 'delete') || statement === undefined) return undefined;
  const one = name === 'update' ? statement['multi'] !== true : statement['limit'] === 1;
  const { q = {}, hint } = statement;
  return withoutUndefined({
    find: command[name] as string,
    filter: q as Document,
    hint: hint as unknown,
    limit: one ? 1 : undefined,
  });
}

function aboveOf(name: string, command: Document): string {
  return name === 'delete' || command['remove'] === true ? 'DELETE' : 'UPDATE';
}

function withoutUndefined(document: Document): Document {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}
