import { Long } from 'bson';
import { withChanged, withField } from '../protocol/bson-edit.js';
import { elementsOf, type Element } from '../protocol/bson-elements.js';

/**
 * DocumentDB reads the rest of a result in one of two ways. Simple queries continue at the place of the last document in
 * the table, and return a document again when an update has moved it. All other queries store their result. A limit
 * that no result reaches makes a query one of the others, so that each document is returned once.
 */
const NO_LIMIT = Long.fromString('1000000000000');
/** Pipelines of only these stages are simple. */
const SIMPLE_STAGES = ['$match', '$project', '$addFields', '$set', '$unset', '$unwind', '$replaceRoot', '$replaceWith'];
const FIELDS_OF_OTHER_FINDS = ['limit', 'sort', 'singleBatch', 'tailable'];

export function findOfOneSnapshot(body: Buffer): Buffer {
  for (const { key } of elementsOf(body)) if (FIELDS_OF_OTHER_FINDS.includes(key)) return body;
  return withField(body, { limit: NO_LIMIT });
}

export function aggregateOfOneSnapshot(body: Buffer): Buffer {
  return withChanged(body, 'pipeline', withLimitStage);
}

function withLimitStage(pipeline: Buffer): Buffer {
  const stages = [...elementsOf(pipeline)].map((element) => stageName(pipeline, element));
  if (!stages.every((name) => SIMPLE_STAGES.includes(name))) return pipeline;
  return withField(pipeline, { [stages.length]: { $limit: NO_LIMIT } });
}

function stageName(pipeline: Buffer, { at, end }: Element): string {
  for (const { key } of elementsOf(pipeline.subarray(at, end))) return key;
  return '';
}
