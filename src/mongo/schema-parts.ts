import { Schema, type InferRawDocTypeFromSchema } from 'mongoose';
import { STATUSES } from '../domain/conversation.ts';

/** Options of each collection's schema. Unknown fields are errors, and only migrations create collections and indexes. */
export const strict = {
  strict: 'throw',
  strictQuery: 'throw',
  minimize: false,
  autoIndex: false,
  autoCreate: false,
  versionKey: false,
} as const;

/** Options of a schema inside another one. */
export const nested = { strict: 'throw', strictQuery: 'throw', minimize: false, _id: false } as const;

export const text = { type: String, required: true } as const;
export const count = { type: Number, required: true, min: 0 } as const;
export const time = { type: Date, required: true } as const;
export const status = { type: String, enum: STATUSES, required: true } as const;

/** A field whose type mongoose cannot infer from its definition. Mongoose infers the type of the hint instead. */
export interface Hinted<Value> {
  readonly __rawDocTypeHint: Value;
}

/** Declares a required field of type `Value`. */
export function required<Value>(definition: object): Hinted<Value> & { required: true } {
  return definition as Hinted<Value> & { required: true };
}

/** Declares an optional field of type `Value`, never `null`. */
export function optional<Value>(definition: object): Hinted<Value> & { allowNull: false } {
  return { ...definition, allowNull: false } as Hinted<Value> & { allowNull: false };
}

/** Declares a list of documents. */
export function listOf<Item extends Schema>(
  item: Item,
): Hinted<readonly InferRawDocTypeFromSchema<Item>[]> & { required: true } {
  return required({ type: [item], required: true });
}

/** Declares an optional list of documents. Without the default, mongoose would store an empty list. */
export function optionalListOf<Item extends Schema>(
  item: Item,
): Hinted<readonly InferRawDocTypeFromSchema<Item>[]> & { allowNull: false } {
  return optional({ type: [item], default: undefined });
}

/** Declares a document or `null`. */
export function documentOrNull<Item extends Schema>(
  item: Item,
): Hinted<InferRawDocTypeFromSchema<Item> | null> & { required: true } {
  return required({ type: item, default: null });
}

export const countOrNull = required<number | null>({ type: Number, min: 0, default: null });
export const textOrNull = required<string | null>({ type: String, default: null });
export const timeOrNull = required<Date | null>({ type: Date, default: null });

/** A value with a type of the domain. Mongoose stores it as it is and checks nothing. */
export const Value = Schema.Types.Mixed;
