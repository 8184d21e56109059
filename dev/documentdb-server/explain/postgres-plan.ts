import { deserialize, EJSON, type Document } from 'bson';
import { rowsOf, rowsRemoved, stage, type IndexDetail, type PlanNode, type Stage } from './stage.js';

/** Converts a PostgreSQL plan to MongoDB's stages. */

/** Nodes without a MongoDB stage: they collect rows of parallel processes, or wrap another node. */
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

export interface ConversionOptions {
  /** The command sorts by `_id`. Only then does a scan of the whole `_id` index count as an index scan. */
  sortsById: boolean;
  isCount: boolean;
}

export function toStage(node: PlanNode, options: ConversionOptions, details: readonly IndexDetail[] = []): Stage {
  const type = node['Node Type'];
  const indexDetails = node.IndexDetails ?? details;
  const children = node.Plans ?? [];
  if (type === 'Index Scan') return fetchStage(node, indexScan(node, options, indexDetails), options);
  if (type === 'Index Only Scan') return indexScan(node, options, indexDetails);
  if (type === 'Bitmap Index Scan') return indexScan(node, options, indexDetails);
  if (type === 'Bitmap Heap Scan') return bitmapScan(node, options, indexDetails);
  if (type === 'Seq Scan' || type === 'Sample Scan') return collectionScan(node);
  if (children.length === 0)
    return stage(TRANSPARENT.has(type) ? 'EOF' : name(type, options), [], { returned: rowsOf(node) });
  const inputs = children.map((child) => toStage(child, options, indexDetails));
  const [only] = inputs;
  if (TRANSPARENT.has(type) && inputs.length === 1 && only !== undefined) return only;
  if (type === 'Sort' || type === 'Incremental Sort') return sort(node, inputs);
  return stage(name(type, options), inputs, { returned: rowsOf(node) });
}

function name(type: string, { isCount }: ConversionOptions): string {
  if (type === 'Aggregate' && isCount) return 'COUNT';
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

/** The first column of the primary key has the same value in every row, so a condition on it selects all rows. */
function isWholeIdIndex(node: PlanNode, { sortsById }: ConversionOptions): boolean {
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

function indexScan(node: PlanNode, options: ConversionOptions, details: readonly IndexDetail[]): Stage {
  if (isWholeIdIndex(node, options)) return collectionScan(node);
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

/** PostgreSQL's index scan also fetches the documents, for which MongoDB has a separate stage. */
function fetchStage(node: PlanNode, scan: Stage, options: ConversionOptions): Stage {
  if (isWholeIdIndex(node, options)) return scan;
  const returned = rowsOf(node);
  return stage('FETCH', [scan], { returned, docsExamined: returned + rowsRemoved(node) });
}

function bitmapScan(node: PlanNode, options: ConversionOptions, details: readonly IndexDetail[]): Stage {
  const inputs = (node.Plans ?? []).map((child) => toStage(child, options, details));
  if (inputs.some(({ stage: found }) => found === 'COLLSCAN')) return collectionScan(node);
  const returned = rowsOf(node);
  return stage('FETCH', inputs, { returned, docsExamined: returned + rowsRemoved(node) });
}
