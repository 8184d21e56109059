import { deserialize, EJSON, type Document } from 'bson';
import { rowsOf, rowsRemoved, stage, type IndexDetail, type PlanNode, type Stage } from './plan.js';

/** PostgreSQL's plan in MongoDB's words. */

/** Nodes that only pass rows on: gathering of parallel workers, DocumentDB's wrappers. */
const TRANSPARENT = new Set([
  'Function Scan',

  'Custom Scan',
  'Gather',
  'Gather Merge',
  'Result',
  'Subquery Scan',
  'Materialize',
  'ProjectSet',
]);

const STAGES = new Map<string, string>([
  ['Limit', 'LIMIT'],
  ['Aggregate', 'GROUP'],
  ['Merge Append', 'SORT_MERGE'],
  ['Append', 'OR'],
  ['BitmapOr', 'OR'],
  ['BitmapAnd', 'AND_SORTED'],
]);

export interface Translation {
  /** The command asks for the order of `_id`: only then is a walk of the whole `_id` index one by intent. */
  sortsById: boolean;
  counts: boolean;
}

export function translate(node: PlanNode, how: Translation, details: readonly IndexDetail[] = []): Stage {
  const type = node['Node Type'];
  const below = node.IndexDetails ?? details;
  const children = node.Plans ?? [];
  if (type === 'Index Scan') return fetched(node, indexScan(node, how, below), how);
  if (type === 'Index Only Scan') return indexScan(node, how, below);
  if (type === 'Bitmap Index Scan') return indexScan(node, how, below);
  if (type === 'Bitmap Heap Scan') return bitmapScan(node, how, below);
  if (type === 'Seq Scan' || type === 'Sample Scan') return collectionScan(node);
  if (children.length === 0)
    return stage(TRANSPARENT.has(type) ? 'EOF' : name(type, how), [], { returned: rowsOf(node) });
  const inputs = children.map((child) => translate(child, how, below));
  const [only] = inputs;
  if (TRANSPARENT.has(type) && inputs.length === 1 && only !== undefined) return only;
  if (type === 'Sort' || type === 'Incremental Sort') return sort(node, inputs);
  return stage(name(type, how), inputs, { returned: rowsOf(node) });
}

function name(type: string, { counts }: Translation): string {
  if (type === 'Aggregate' && counts) return 'COUNT';
  return STAGES.get(type) ?? type.toUpperCase().replaceAll(' ', '_');
}

function sort(node: PlanNode, inputs: Stage[]): Stage {
  const keys = (node['Sort Key'] ?? []).map((key) => /BSONHEX([0-9a-f]+)/.exec(key)?.[1]);
  const patterns = keys.flatMap((hex): Document[] => (hex === undefined ? [] : [deserialize(Buffer.from(hex, 'hex'))]));
  return stage('SORT', inputs, {
    returned: rowsOf(node),
    details: { sortPattern: Object.assign({}, ...patterns) as Document },
  });
}

/** The primary key begins with a column that is the same in every row: a condition on that alone picks nothing. */
function isWholeIdIndex(node: PlanNode, { sortsById }: Translation): boolean {
  return node['Index Name'] === '_id_' && !sortsById && !(node['Index Cond'] ?? '').includes('object_id');
}

function collectionScan(node: PlanNode): Stage {
  const returned = rowsOf(node);
  return stage('COLLSCAN', [], {
    returned,
    docsExamined: returned + rowsRemoved(node),
    details: { direction: 'forward' },
  });
}

function indexScan(node: PlanNode, how: Translation, details: readonly IndexDetail[]): Stage {
  if (isWholeIdIndex(node, how)) return collectionScan(node);
  const indexName = node['Index Name'] ?? '';
  const detail = details.find((candidate) => candidate.indexName === indexName);
  const examined = rowsOf(node) + rowsRemoved(node);
  return stage('IXSCAN', [], {
    returned: examined,
    keysExamined: detail?.innerScanLoops ?? examined,
    details: {
      indexName,
      keyPattern: keyPattern(indexName, detail),
      isMultiKey: detail?.isMultiKey ?? false,
      direction: detail?.isBackwardScan === true || node['Scan Direction'] === 'Backward' ? 'backward' : 'forward',
      ...(detail?.indexBounds === undefined ? {} : { indexBounds: detail.indexBounds }),
    },
  });
}

function keyPattern(indexName: string, detail: IndexDetail | undefined): Document {
  if (detail?.indexKey !== undefined) return EJSON.parse(detail.indexKey) as Document;
  return indexName === '_id_' ? { _id: 1 } : {};
}

/** PostgreSQL's index scan fetches the documents too; MongoDB calls that a stage of its own. */
function fetched(node: PlanNode, scan: Stage, how: Translation): Stage {
  if (isWholeIdIndex(node, how)) return scan;
  const returned = rowsOf(node);
  return stage('FETCH', [scan], { returned, docsExamined: returned + rowsRemoved(node) });
}

function bitmapScan(node: PlanNode, how: Translation, details: readonly IndexDetail[]): Stage {
  const inputs = (node.Plans ?? []).map((child) => translate(child, how, details));
  if (inputs.some(({ stage: found }) => found === 'COLLSCAN')) return collectionScan(node);
  const returned = rowsOf(node);
  return stage('FETCH', inputs, { returned, docsExamined: returned + rowsRemoved(node) });
}
