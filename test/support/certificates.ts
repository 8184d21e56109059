import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const isOpensslInstalled = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;
const VALID = ['-days', '2'] as const;

/** The files of a certificate authority and of one certificate that it has signed for a host name, not for an IP. */
export class Certificates {
  private readonly dir = mkdtempSync(join(tmpdir(), 'baton-tls-'));
  readonly authority = join(this.dir, 'ca.crt');
  readonly certificate = join(this.dir, 'redis.crt');
  readonly key = join(this.dir, 'redis.key');

  constructor(hostName: string) {
    const [caKey, request, names] = ['ca.key', 'redis.csr', 'names'].map((name) => join(this.dir, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(names, `subjectAltName=DNS:${hostName}\n`);
    const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'ignore' });
    openssl('req', '-x509', ...NEW_KEY, ...VALID, '-subj', '/CN=authority', '-keyout', caKey, '-out', this.authority);
    openssl('req', ...NEW_KEY, '-subj', '/CN=redis', '-keyout', this.key, '-out', request);
    const signer = ['-CA', this.authority, '-CAkey', caKey, '-CAcreateserial'];
    openssl('x509', '-req', '-in', request, ...signer, ...VALID, '-extfile', names, '-out', this.certificate);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
