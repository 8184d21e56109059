import { deserialize, type Document } from 'bson';
import { bytesOf, execute } from '../execution.js';
import { planDocument, stage, statsDocument, total, type PlanNode, type Stage } from '../explain/stage.js';
import { explainTarget, type ExplainTarget } from '../explain/target.js';
import { toStage } from '../explain/postgres-plan.js';
import type { Call, Handler } from '../context.js';
import type { Statement } from '../postgres/protocol.js';

/** One element of the result of `EXPLAIN (FORMAT JSON)`. */
interface PostgresPlan {
  Plan: PlanNode;
  'Execution Time'?: number;
}

function explainStatement(kind: ExplainTarget['kind'], analyze: boolean): Statement {
  const text = `explain (format json, analyze ${analyze}, timing off, buffers off, summary ${analyze})
    select document from documentdb_api_catalog.bson_aggregation_${kind}($1, $2)`;
  return { name: `explain_${kind}_${analyze}`, text };
}

/** Runs the query if the verbosity requires statistics. For a write, it explains the filter and writes nothing. */
export async function explain(call: Call): Promise<Document> {
  const { db, body } = call.command;
  const target = explainTarget(body);
  const { verbosity = 'allPlansExecution' } = deserialize(body) as { verbosity?: string };
  const analyze = verbosity !== 'queryPlanner';
  const reply = bytesOf(await execute(call, explainStatement(target.kind, analyze), [db, target.spec]));
  const [planned] = JSON.parse(reply.toString()) as [PostgresPlan];
  const plan = planOf(target, planned.Plan);
  return {
    explainVersion: '1',
    queryPlanner: { namespace: `${db}.${target.collection}`, winningPlan: planDocument(plan), rejectedPlans: [] },
    ...(analyze ? { executionStats: executionStats(plan, planned) } : {}),
    command: { ...target.command, $db: db },
    serverInfo: { host: call.context.identity.host, port: call.context.identity.port, version: '7.0.0' },
    ok: 1,
  };
}

function planOf(target: ExplainTarget, node: PlanNode): Stage {
  const [firstSortField] = Object.keys(target.sort ?? {});
  const plan = toStage(node, { sortsById: firstSortField === '_id', isCount: target.kind === 'count' });
  return target.parentStage === undefined ? plan : stage(target.parentStage, [plan], { returned: 0 });
}

function executionStats(plan: Stage, planned: PostgresPlan): Document {
  return {
    executionSuccess: true,
    nReturned: plan.returned,
    executionTimeMillis: Math.round(planned['Execution Time'] ?? 0),
    totalKeysExamined: total(plan, 'keysExamined'),
    totalDocsExamined: total(plan, 'docsExamined'),
    executionStages: statsDocument(plan),
  };
}

export const EXPLAIN_COMMANDS: Record<string, Handler> = { explain };
