import type { Document } from 'bson';

/** The fields that are read from a node of PostgreSQL's `EXPLAIN (FORMAT JSON)`. */
export interface PlanNode {
  'Node Type': string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Filter?: string;
  'Sort Key'?: string[];
  'Scan Direction'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  /** DocumentDB's wrapper node describes the index scan below it. */
  IndexDetails?: IndexDetail[];
  Plans?: PlanNode[];
}

export interface IndexDetail {
  indexName?: string;
  /** Extended JSON in a string. */
  indexKey?: string;
  indexBounds?: string[];
  isMultiKey?: boolean;
  isBackwardScan?: boolean;
  /** The number of index entries read. */
  innerScanLoops?: number;
}

/** The rows of a node in all loops. Zero without ANALYZE. */
export function rowsOf(node: PlanNode): number {
  return Math.round((node['Actual Rows'] ?? 0) * loopsOf(node));
}

/** The rows that a scan fetched and a filter removed. */
export function rowsRemoved(node: PlanNode): number {
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  return Math.round(removed * loopsOf(node));
}

function loopsOf(node: PlanNode): number {
  return node['Actual Loops'] ?? 1;
}

/** A stage of a MongoDB plan, with the stages below it. */
export interface Stage {
  stage: string;
  details: Document;
  inputs: Stage[];
  returned: number;
  keysExamined: number;
  docsExamined: number;
}

export function stage(name: string, inputs: Stage[], extra: Partial<Omit<Stage, 'stage' | 'inputs'>> = {}): Stage {
  const returned = inputs.reduce((sum, input) => sum + input.returned, 0);
  return { stage: name, inputs, details: {}, returned, keysExamined: 0, docsExamined: 0, ...extra };
}

/** Formats a stage for `queryPlanner.winningPlan`. */
export function planDocument({ stage: name, details, inputs }: Stage): Document {
  return { stage: name, ...details, ...inputFields(inputs.map(planDocument)) };
}

/** Formats a stage for `executionStats.executionStages`. */
export function statsDocument(plan: Stage): Document {
  const { stage: name, details, inputs, returned, keysExamined, docsExamined } = plan;
  const keys = name === 'IXSCAN' ? { keysExamined } : {};
  const docs = name === 'FETCH' || name === 'COLLSCAN' ? { docsExamined } : {};
  return { stage: name, nReturned: returned, ...details, ...keys, ...docs, ...inputFields(inputs.map(statsDocument)) };
}

function inputFields(inputs: Document[]): Document {
  if (inputs.length === 0) return {};
  return inputs.length === 1 ? { inputStage: inputs[0] } : { inputStages: inputs };
}

export function total(plan: Stage, field: 'keysExamined' | 'docsExamined'): number {
  return plan.inputs.reduce((sum, input) => sum + total(input, field), plan[field]);
}
