import { createHash } from 'node:crypto';

/**
 * What the private servers are made of: the packages of one Debian release, unpacked (never installed) into a folder.
 * Their set-up scripts do not run, so most of what they depend on for those scripts can be left out.
 * Any change here gives the folder another name, and so a new build.
 */
export const recipe = {
  /** The first Debian release that carries PostgreSQL with the DocumentDB extension. */
  release: 'forky',
  /** `setpriv` (util-linux) ties a server to its parent; PostgreSQL's initdb needs a shell (dash). */
  packages: ['postgresql-18-documentdb', 'redis-server', 'util-linux', 'dash'],
  /** Taken for installed, so that what only they need is left out too: PostGIS's raster half, half of the download. */
  pretended: '^libgdal\\d+$',
  /** Needed by set-up scripts, for other languages, or by tools nobody calls here. */
  leftOut: [
    '^(perl.*|libperl.*|lib.+-perl|libgdbm.*|debconf|libdebconf.*|ucf|sensible-utils|debianutils)$',
    '^(postgresql-common|postgresql-client.*|ssl-cert|openssl.*|netbase|locales|libc-l10n|libc-gconv.*)$',
    '^(systemd|libsystemd-shared|sysvinit-utils|procps|libproc2.*|adduser|passwd|login\\.defs|base-passwd)$',
    '^(libpam-.*|libaudit-common|libsemanage.*|libsepol.*|libdb5.*|libncursesw.*|readline-common)$',
    '^(gdal-.*|proj-data|gcc-.*-base)$',
  ],
  /** Left out of the packages that are taken: a third of their size. */
  leftOutPaths: [
    './usr/share/doc',
    './usr/share/man',
    './usr/share/locale',
    './usr/lib/postgresql/18/lib/bitcode',
    './usr/share/postgresql/18/contrib',
    './usr/share/postgresql/18/extension/postgis*--*--ANY.sql',
    './usr/share/postgresql/18/extension/postgis*--ANY--*.sql',
    './usr/share/postgresql/18/extension/postgis*--unpackaged*.sql',
    './usr/share/postgresql/18/extension/postgis_*.sql',
    './usr/share/postgresql/18/extension/address_standardizer*.sql',
  ],
  /** What the packages' set-up scripts would have made. */
  links: [
    ['usr/bin', 'bin'],
    ['usr/sbin', 'sbin'],
    ['usr/lib', 'lib'],
    ['usr/lib64', 'lib64'],
    ['postgis-3.control', 'usr/share/postgresql/18/extension/postgis.control'],
  ],
  /** Above the range of a machine's own users, so that nobody there is by chance allowed more than anybody else. */
  serverUid: 47017,
  initdb: ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'],
  preload: 'pg_cron,pg_documentdb_core,pg_documentdb,pg_documentdb_extended_rum',
  afterInit: 'create extension documentdb cascade; create extension documentdb_extended_rum',
} as const;

const KEY_LENGTH = 12;

/** Names the build: another recipe or another processor is another folder. */
export function recipeKey(): string {
  const text = JSON.stringify([recipe, process.arch]);
  return createHash('sha256').update(text).digest('hex').slice(0, KEY_LENGTH);
}
