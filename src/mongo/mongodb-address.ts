import { AddressProblem, problemOf, readHost, splitAddress } from '../domain/address.ts';

const DATABASE_BYTES_MAX = 63;
const FORBIDDEN_IN_DATABASE = /[/\\. "$*<>:|?]/;
/** MongoDB keeps its own data in these. */
const SERVER_DATABASES = ['admin', 'config', 'local'];
/** The path of a socket, percent-encoded. */
const SOCKET = /^%2F[^:]*\.sock$/i;

/**
 * Returns what is wrong with an address of MongoDB, or `undefined`. The sentence contains no value of the address. The
 * driver checks its options when it connects (driver-options.ts): loading it takes longer than most commands.
 */
export function problemOfMongodbUri(uri: string): string | undefined {
  return problemOf(() => checkMongodbUri(uri));
}

/** The database of an address that names none. The driver would take `test`, and each program another one. */
const DEFAULT_DATABASE = 'baton';

export function databaseNameIn(uri: string): string {
  return splitAddress(uri).path || DEFAULT_DATABASE;
}

function checkMongodbUri(uri: string): void {
  if (!/^mongodb(\+srv)?:\/\//.test(uri)) throw new AddressProblem('must start with mongodb:// or mongodb+srv://');
  const { scheme, username, password, hosts, path, parameters } = splitAddress(uri);
  if (username === '' && password !== '') throw new AddressProblem('has a password without a user name');
  const read = hosts.split(',').map((host) => (SOCKET.test(host) ? undefined : readHost(host)));
  if (scheme === 'mongodb+srv' && (read.length !== 1 || read[0]?.port !== undefined)) {
    throw new AddressProblem('must have exactly one host, and no port, after mongodb+srv://');
  }
  if (SERVER_DATABASES.includes(path)) {
    throw new AddressProblem(
      `has the database ${path}, in which MongoDB has no transactions; name another one, and put authSource=${path} after the "?" if the user is stored there`,
    );
  }
  if (FORBIDDEN_IN_DATABASE.test(path) || Buffer.byteLength(path) > DATABASE_BYTES_MAX) {
    throw new AddressProblem('must have the name of a database after the "/", or nothing');
  }
  checkOwnOptions(parameters);
}

/** Baton's promises depend on these options, so an address may only repeat Baton's own values. */
const OWN_VALUES: ReadonlyMap<string, string> = new Map([
  ['w', 'majority'],
  ['journal', 'true'],
  ['j', 'true'],
  ['readconcernlevel', 'majority'],
  ['readpreference', 'primary'],
]);

/** Options for which Baton has a limit or a variable of its own. */
const OWN_OPTIONS: ReadonlySet<string> = new Set([
  ...['wtimeoutms', 'wtimeout', 'fsync', 'readpreferencetags', 'maxstalenessseconds', 'monitorcommands'],
  ...['maxpoolsize', 'minpoolsize', 'serverselectiontimeoutms'],
]);

/** Options that change the types of the values which Baton reads or writes. */
const TYPE_OPTIONS: ReadonlySet<string> = new Set([
  ...['raw', 'promotevalues', 'promotelongs', 'promotebuffers', 'usebigint64', 'bsonregexp', 'fieldsasraw'],
  ...['ignoreundefined', 'serializefunctions', 'forceserverobjectid'],
]);

/** With a shorter time no command could succeed. A write waits up to ten seconds for the majority. 0 is no limit. */
const TIMES_MS_MIN: ReadonlyMap<string, number> = new Map([
  ['connecttimeoutms', 1_000],
  ['waitqueuetimeoutms', 1_000],
  ['sockettimeoutms', 15_000],
]);

/** The other compressors need packages that Baton does not have. */
const COMPRESSORS = ['none', 'zlib'];

function checkOwnOptions(parameters: URLSearchParams): void {
  for (const [name, value] of parameters) {
    const option = name.toLowerCase();
    checkUsable(option, value);
    const own = OWN_VALUES.get(option);
    if (own !== undefined && value.toLowerCase() !== own) {
      throw new AddressProblem(`has another value of ${option} than ${own}; remove the option, Baton sets it`);
    }
    if (OWN_OPTIONS.has(option)) {
      throw new AddressProblem(
        `has the option ${option}; remove it, Baton sets it (see BATON_MONGODB_ in .env.example)`,
      );
    }
  }
}

function checkUsable(option: string, value: string): void {
  if (TYPE_OPTIONS.has(option)) {
    throw new AddressProblem(`has the option ${option}; remove it, with it Baton cannot read the database`);
  }
  const min = TIMES_MS_MIN.get(option) ?? 0;
  if (Number(value) > 0 && Number(value) < min) {
    throw new AddressProblem(`has a value of ${option} under ${min}, with which commands fail`);
  }
  if (option === 'compressors' && !value.split(',').every((each) => COMPRESSORS.includes(each))) {
    throw new AddressProblem(`has other compressors than ${COMPRESSORS.join(' and ')}`);
  }
}
