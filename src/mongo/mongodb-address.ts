import mongoose from 'mongoose';
import { AddressProblem, problemOf, readHost, splitAddress } from '../domain/address.ts';

const DATABASE_BYTES_MAX = 63;
const FORBIDDEN_IN_DATABASE = /[/\\. "$*<>:|?]/;
/** The path of a socket, percent-encoded. */
const SOCKET = /^%2F[^:]*\.sock$/i;
const OPTION_NAME = /^[A-Za-z]{1,40}$/;

/** Returns what is wrong with an address of MongoDB, or `undefined`. The sentence contains no value of the address. */
export function problemOfMongodbUri(uri: string): string | undefined {
  return problemOf(() => checkMongodbUri(uri));
}

function checkMongodbUri(uri: string): void {
  if (!/^mongodb(\+srv)?:\/\//.test(uri)) throw new AddressProblem('must start with mongodb:// or mongodb+srv://');
  const { scheme, username, password, hosts, path, parameters } = splitAddress(uri);
  if (username === '' && password !== '') throw new AddressProblem('has a password without a user name');
  const read = hosts.split(',').map((host) => (SOCKET.test(host) ? undefined : readHost(host)));
  if (scheme === 'mongodb+srv' && (read.length !== 1 || read[0]?.port !== undefined)) {
    throw new AddressProblem('must have exactly one host, and no port, after mongodb+srv://');
  }
  if (FORBIDDEN_IN_DATABASE.test(path) || Buffer.byteLength(path) > DATABASE_BYTES_MAX) {
    throw new AddressProblem('must have the name of a database after the "/", or nothing');
  }
  checkOptions(uri, parameters);
}

/** The driver knows its options best. It reads them without connecting, and its errors may quote values. */
function checkOptions(uri: string, parameters: URLSearchParams): void {
  if (isReadByDriver(uri)) return;
  const bad = [...parameters].flatMap(([name, value]) => (isOption(name, value) ? [] : [name]));
  const names = [...new Set(bad)].filter((name) => OPTION_NAME.test(name));
  if (names.length === 0) throw new AddressProblem('has options that the driver of MongoDB refuses');
  throw new AddressProblem(`has options that the driver of MongoDB refuses: ${names.join(', ')}`);
}

function isOption(name: string, value: string): boolean {
  return isReadByDriver(`mongodb://host/?${new URLSearchParams([[name, value]])}`);
}

function isReadByDriver(uri: string): boolean {
  try {
    new mongoose.mongo.MongoClient(uri);
    return true;
  } catch {
    return false;
  }
}
