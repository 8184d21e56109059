import type { Document } from 'bson';

/** A node of PostgreSQL's `EXPLAIN (FORMAT JSON)`, as far as it is read here. */
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
  /** Said by DocumentDB's own wrapper node about the index scan below it. */
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
  /** Index entries looked at. */
  innerScanLoops?: number;
}

/** Rows of a node over all its loops; without ANALYZE there are none. */
export function rowsOf(node: PlanNode): number {
  return Math.round((node['Actual Rows'] ?? 0) * loopsOf(node));
}

/** Rows a scan fetched and threw away. */
export function rowsRemoved(node: PlanNode): number {
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  return Math.round(removed * loopsOf(node));
}

function loopsOf(node: PlanNode): number {
  return node['Actual Loops'] ?? 1;
}

/** What MongoDB calls a stage: name, the stages below it, and what it returned and looked at. */
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

/** As `queryPlanner.winningPlan` has it. */
export function planDocument({ stage: name, details, inputs }: Stage): Document {
  return { stage: name, ...details, ...inputFields(inputs.map(planDocument)) };
}

/** As `executionStats.executionStages` has it. */
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
