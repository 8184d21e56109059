import { deserialize, type Document } from 'bson';
import { bytesOf, execute } from '../execution.js';
import { planDocument, stage, statsDocument, total, type PlanNode, type Stage } from '../explain/plan.js';
import { explainTarget, type ExplainTarget } from '../explain/target.js';
import { translate } from '../explain/translate.js';
import type { Call, Handler } from '../front.js';
import type { Statement } from '../postgres/protocol.js';

/** What `EXPLAIN (FORMAT JSON)` answers, one element a statement. */
interface PostgresPlan {
  Plan: PlanNode;
  'Execution Time'?: number;
}

function explainStatement(kind: ExplainTarget['kind'], analyze: boolean): Statement {
  const text = `explain (format json, analyze ${analyze}, timing off, buffers off, summary ${analyze})
    select document from documentdb_api_catalog.bson_aggregation_${kind}($1, $2)`;
  return { name: `explain_${kind}_${analyze}`, text };
}

/** Runs the query where the verbosity asks for its figures; a write is never run, only its filter is. */
export async function explain(call: Call): Promise<Document> {
  const { db, body } = call.command;
  const target = explainTarget(body);
  const { verbosity = 'allPlansExecution' } = deserialize(body) as { verbosity?: string };
  const analyze = verbosity !== 'queryPlanner';
  const answer = bytesOf(await execute(call, explainStatement(target.kind, analyze), [db, target.spec]));
  const [planned] = JSON.parse(answer.toString()) as [PostgresPlan];
  const plan = planOf(target, planned.Plan);
  return {
    explainVersion: '1',
    queryPlanner: { namespace: `${db}.${target.collection}`, winningPlan: planDocument(plan), rejectedPlans: [] },
    ...(analyze ? { executionStats: executionStats(plan, planned) } : {}),
    command: { ...target.command, $db: db },
    serverInfo: { host: call.front.identity.host, port: call.front.identity.port, version: '7.0.0' },
    ok: 1,
  };
}

function planOf(target: ExplainTarget, node: PlanNode): Stage {
  const [firstSorted] = Object.keys(target.sort ?? {});
  const plan = translate(node, { sortsById: firstSorted === '_id', counts: target.kind === 'count' });
  return target.above === undefined ? plan : stage(target.above, [plan], { returned: 0 });
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
