import { deserialize, serialize, type Document } from 'bson';
import { CODE, CommandError } from '../errors.js';
import { elementsOf, BSON_TYPE } from '../protocol/bson-elements.js';

/** The query to explain. DocumentDB explains no writes, so a write is explained as a find with its filter. */
export interface ExplainTarget {
  kind: 'find' | 'pipeline' | 'count' | 'distinct';
  collection: string;
  command: Document;
  /** The command that DocumentDB explains. */
  spec: Buffer;
  /** The stage above the find in MongoDB's plan of a write. */
  parentStage: string | undefined;
  sort: Document | undefined;
}

const KINDS = new Map<string, ExplainTarget['kind']>([
  ['find', 'find'],
  ['aggregate', 'pipeline'],
  ['count', 'count'],
  ['distinct', 'distinct'],
]);

/** `body` is an explain command, or an aggregate with `explain: true`. */
export function explainTarget(body: Buffer): ExplainTarget {
  const spec = explainedCommand(body);
  const command = deserialize(spec);
  const [name = ''] = Object.keys(command);
  const collection = String(command[name]);
  const kind = KINDS.get(name);
  if (kind !== undefined) {
    const sort =
      kind === 'pipeline' ? pipelineSort(command['pipeline'] as Document[]) : (command['sort'] as Document | undefined);
    return { kind, collection, command, spec, parentStage: undefined, sort };
  }
  const find = findOfWrite(name, command);
  if (find === undefined)
    throw new CommandError(CODE.commandNotFound, `Explain failed due to unknown command: ${name}`);
  const sort = find['sort'] as Document | undefined;
  return {
    kind: 'find',
    collection,
    command,
    spec: Buffer.from(serialize(find)),
    parentStage: parentStageOf(name, command),
    sort,
  };
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
  const isSingle = name === 'update' ? statement['multi'] !== true : statement['limit'] === 1;
  const { q = {}, hint } = statement;
  return withoutUndefined({
    find: command[name] as string,
    filter: q as Document,
    hint: hint as unknown,
    limit: isSingle ? 1 : undefined,
  });
}

function parentStageOf(name: string, command: Document): string {
  return name === 'delete' || command['remove'] === true ? 'DELETE' : 'UPDATE';
}

function withoutUndefined(document: Document): Document {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
}
