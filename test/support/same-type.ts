/** The names of the fields, of every member of a union. */
type FieldsOf<Type> = Type extends unknown ? keyof Type : never;

/** True when both types accept the same values and have the same fields, optional ones included. */
export type Same<Written, FromSchema> = [Written] extends [FromSchema]
  ? [FromSchema] extends [Written]
    ? Equal<FieldsOf<Written>, FieldsOf<FromSchema>>
    : false
  : false;
type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
