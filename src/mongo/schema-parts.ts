import { Schema } from 'mongoose';
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

/** Gives a field that each document has the type `Value`. */
export function as<Value>(definition: object): Hinted<Value> & { required: true } {
  return definition as Hinted<Value> & { required: true };
}

/** Gives a field that a document may lack the type `Value`. The field is never `null`. */
export function optional<Value>(definition: object): Hinted<Value> & { allowNull: false } {
  return { ...definition, allowNull: false } as Hinted<Value> & { allowNull: false };
}

export const textOrNull = as<string | null>({ type: String, default: null });
export const timeOrNull = as<Date | null>({ type: Date, default: null });

/** A value with a type of the domain. Its writer has checked it, so mongoose only stores it. */
export const Value = Schema.Types.Mixed;
