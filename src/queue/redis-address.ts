import { AddressProblem, problemOf, readHost, splitAddress, type AddressParts, type Host } from '../domain/address.ts';
import { Refusal } from '../domain/errors.ts';

/** The addresses of one Redis, or of the nodes of one cluster. */
export interface RedisAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly username: string;
  readonly password: string;
  readonly database: number;
  readonly usesTls: boolean;
  /** 4 or 6: the version of IP. 0: both. `undefined`: the default of the client. */
  readonly family: number | undefined;
}

const DEFAULT_PORT = 6379;
const FAMILY = 'family';
const FAMILIES = ['0', '4', '6'];

/** A comma separates two nodes only before a scheme, because a password may contain commas. */
const BETWEEN_NODES = /,(?=rediss?:\/\/)/;

/** Returns what is wrong with an address of Redis, or `undefined`. */
export function problemOfRedisUrl(redisUrl: string): string | undefined {
  return problemOf(() => readRedisUrl(redisUrl));
}

/** Throws a `bad-config` refusal, which contains no part of the address. */
export function parseRedisUrl(redisUrl: string): RedisAddress {
  const problem = typeof redisUrl === 'string' ? problemOfRedisUrl(redisUrl) : 'is missing';
  if (problem === undefined) return readRedisUrl(redisUrl);
  throw new Refusal('bad-config', {
    message: `the address of Redis ${problem}`,
    expected: 'an address such as redis://user:password@host:6379/0, or the nodes of a cluster separated by commas',
    received: `an address that ${problem}`,
  });
}

function readRedisUrl(redisUrl: string): RedisAddress {
  const texts = redisUrl.split(BETWEEN_NODES);
  if (!texts.every((text) => /^rediss?:\/\//.test(text))) {
    throw new AddressProblem(
      'must start with redis:// or rediss://, each node of a cluster too; separate the nodes by commas',
    );
  }
  const all = texts.map((text) => splitAddress(text));
  const [first] = all as [AddressParts, ...AddressParts[]];
  if (all.some((each) => !isAlike(each, first))) {
    throw new AddressProblem('has nodes that differ in more than host and port; a cluster has one user and one scheme');
  }
  const { username, password, parameters } = first;
  const database = readDatabase(first.path);
  if (all.length > 1 && database !== 0)
    throw new AddressProblem('must not name a database: a cluster has only number 0');
  return {
    ...{ nodes: all.map(({ hosts }) => withPort(readHost(hosts))), username, password, database },
    ...{ usesTls: first.scheme === 'rediss', family: readFamily(parameters) },
  };
}

/** A node without a user name and password uses those of the first. */
function isAlike(each: AddressParts, first: AddressParts): boolean {
  const isAnonymous = each.username === '' && each.password === '';
  const isSameUser = each.username === first.username && each.password === first.password;
  const isSamePlace = each.path === first.path || each.path === '';
  return each.scheme === first.scheme && (isAnonymous || isSameUser) && isSamePlace;
}

function withPort({ host, port = DEFAULT_PORT }: Host): { readonly host: string; readonly port: number } {
  return { host, port };
}

function readDatabase(path: string): number {
  if (path === '') return 0;
  if (/^(0|[1-9][0-9]{0,4})$/.test(path)) return Number(path);
  throw new AddressProblem('must have a database number such as 0 after the "/", or nothing');
}

function readFamily(parameters: URLSearchParams): number | undefined {
  if ([...parameters.keys()].some((key) => key !== FAMILY)) {
    throw new AddressProblem('has a parameter other than family; put the other settings of a connection on the server');
  }
  const [family, ...others] = parameters.getAll(FAMILY);
  if (family === undefined) return undefined;
  if (others.length > 0) throw new AddressProblem('has the parameter family twice');
  if (!FAMILIES.includes(family)) throw new AddressProblem('has a family that is not 4, 6 or 0 for both');
  return Number(family);
}
