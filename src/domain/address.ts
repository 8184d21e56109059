/** The parts of the address of a service. User name and password are decoded. */
export interface AddressParts {
  readonly scheme: string;
  readonly username: string;
  readonly password: string;
  readonly hosts: string;
  /** The text after the first `/`, before the parameters. */
  readonly path: string;
  readonly parameters: URLSearchParams;
}

export interface Host {
  readonly host: string;
  readonly port: number | undefined;
}

/** What is wrong with an address, as the end of a sentence that begins with its name. It contains no part of the address. */
export class AddressProblem extends Error {
  override readonly name = 'AddressProblem';
}

const SHAPE = /^([a-z0-9+]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const MUST_BE_ENCODED =
  'has a character that must be percent-encoded, such as %2F for "/", %3A for ":", %40 for "@" or %23 for "#"';
const PORT_MAX = 65_535;
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
const IP_V6 = /^\[([0-9A-Fa-f:.]+(?:%25[A-Za-z0-9]+)?)\]$/;

/** Takes an address apart. `URL` would quote the address, and so the password, in its errors. Throws {@link AddressProblem}. */
export function splitAddress(text: string): AddressParts {
  if (/\s/.test(text)) throw new AddressProblem('has white space');
  const [, scheme = '', authority = '', path = '', query = ''] = SHAPE.exec(text) ?? [];
  if (scheme === '' || /[@:]/.test(path)) throw new AddressProblem(MUST_BE_ENCODED);
  const at = authority.lastIndexOf('@');
  const credentials = at === -1 ? '' : authority.slice(0, at);
  const colon = credentials.indexOf(':');
  const [username, password] =
    colon === -1 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
  if (/[@:[\]]/.test(username + password)) throw new AddressProblem(MUST_BE_ENCODED);
  const parameters = new URLSearchParams(query);
  return {
    ...{ scheme, username: decoded(username), password: decoded(password) },
    ...{ hosts: authority.slice(at + 1), path: decoded(path), parameters },
  };
}

/** Reads `host`, `host:port` or `[IPv6]:port`. Throws {@link AddressProblem}. */
export function readHost(text: string): Host {
  const [, name = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text) ?? [];
  if (name === '') throw new AddressProblem(text.includes(':') ? 'has a host that cannot be read' : 'has no host');
  const [, ipV6] = IP_V6.exec(name) ?? [];
  if (ipV6 === undefined && !HOST_NAME.test(name)) throw new AddressProblem('has a host that is not a name or an IP');
  return { host: ipV6 ?? name, port: port === undefined ? undefined : readPort(port) };
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && port >= 1 && port <= PORT_MAX) return port;
  throw new AddressProblem(`has a port that is not a whole number from 1 to ${PORT_MAX}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AddressProblem('has a "%" that must be percent-encoded as %25');
  }
}

/** Returns what is wrong with an address, or `undefined`. */
export function problemOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof AddressProblem) return error.message;
    throw error;
  }
}
