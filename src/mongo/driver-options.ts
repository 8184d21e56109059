import mongoose from 'mongoose';
import { AddressProblem, problemOf, splitAddress } from '../domain/address.ts';
import { Refusal } from '../domain/errors.ts';

/** The name of an unknown option is not repeated: it can be a part of a password. */
const UNKNOWN_OPTION = /not supported/;

/** Throws a `bad-config` refusal when the driver of MongoDB refuses an option. It contains no value of the address. */
export function requireDriverOptions(uri: string): void {
  const problem = problemForDriver(uri);
  if (problem === undefined) return;
  throw new Refusal('bad-config', {
    message: `the environment is not valid: MONGODB_URI ${problem}. See .env.example`,
    expected: 'an address whose options the driver of MongoDB knows',
    received: `MONGODB_URI ${problem}`,
  });
}

/** Returns what the driver refuses in an address that is otherwise right, or `undefined`. */
export function problemForDriver(uri: string): string | undefined {
  return problemOf(() => checkOptions(uri));
}

/** The driver knows its options best. It reads them without connecting, and its errors may quote values. */
function checkOptions(uri: string): void {
  if (refusalOfDriver(uri) === undefined) return;
  const refused = [...splitAddress(uri).parameters].map(
    ([name, value]) => [name, refusalOfOption(name, value)] as const,
  );
  const unknown = refused.some(([, refusal]) => refusal !== undefined && UNKNOWN_OPTION.test(refusal));
  if (unknown) throw new AddressProblem('has an option that the driver of MongoDB does not know');
  const names = new Set(refused.flatMap(([name, refusal]) => (refusal === undefined ? [] : [name])));
  const which = names.size === 0 ? 'options' : `a value of ${[...names].join(' or ')}`;
  throw new AddressProblem(`has ${which} that the driver of MongoDB refuses`);
}

function refusalOfOption(name: string, value: string): string | undefined {
  return refusalOfDriver(`mongodb://host/?${new URLSearchParams([[name, value]]).toString()}`);
}

function refusalOfDriver(uri: string): string | undefined {
  try {
    new mongoose.mongo.MongoClient(uri);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}
