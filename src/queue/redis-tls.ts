import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';

/**
 * Checks the certificate of each node. A cluster may name its nodes by their IP addresses although their certificates
 * carry only host names; then the certificate must be for one of the hosts of the address of Redis.
 */
export function tlsOptions(hosts: readonly string[]): ConnectionOptions {
  const names = hosts.filter((host) => isIP(host) === 0);
  return {
    checkServerIdentity: (host, certificate) => {
      const problem = checkServerIdentity(host, certificate);
      if (problem === undefined || isIP(host) === 0) return problem;
      return names.some((name) => checkServerIdentity(name, certificate) === undefined) ? undefined : problem;
    },
  };
}
