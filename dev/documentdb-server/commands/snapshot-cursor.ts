import { Long, serialize, type Document } from 'bson';
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
  for (const element of elementsOf(body)) if (element.key === 'pipeline') return withLimitStage(body, element);
  return body;
}

function withLimitStage(body: Buffer, { at, end }: Element): Buffer {
  const pipeline = body.subarray(at, end);
  const stages = [...elementsOf(pipeline)].map((element) => stageName(pipeline, element));
  if (!stages.every((name) => SIMPLE_STAGES.includes(name))) return body;
  const longer = withField(pipeline, { [stages.length]: { $limit: NO_LIMIT } });
  return withSize(Buffer.concat([body.subarray(0, at), longer, body.subarray(end)]));
}

function stageName(pipeline: Buffer, { at, end }: Element): string {
  for (const { key } of elementsOf(pipeline.subarray(at, end))) return key;
  return '';
}

/** Appends one field to a document or array. */
function withField(document: Buffer, field: Document): Buffer {
  const added = Buffer.from(serialize(field)).subarray(4);
  return withSize(Buffer.concat([document.subarray(0, -1), added]));
}

function withSize(document: Buffer): Buffer {
  document.writeInt32LE(document.length, 0);
  return document;
}
