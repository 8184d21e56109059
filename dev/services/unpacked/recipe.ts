import { createHash } from 'node:crypto';

/**
 * The private servers come from packages of one Debian release, unpacked (not installed) into a folder. The set-up
 * scripts of the packages do not run, so most dependencies of those scripts are excluded. A change of the recipe changes
 * the name of the folder and therefore causes a new build.
 */
export const recipe = {
  /** The first Debian release that has PostgreSQL with the DocumentDB extension. */
  release: 'forky',
  /** util-linux has `setpriv`, which starts the server; initdb needs a shell (dash). */
  packages: ['postgresql-18-documentdb', 'redis-server', 'util-linux', 'dash'],
  /** Treated as installed, which also excludes their dependencies. PostGIS raster support is half of the download. */
  assumedInstalled: '^libgdal\\d+$',
  /** Needed only by set-up scripts, other languages or unused tools. */
  excludedPackages: [
    '^(perl.*|libperl.*|lib.+-perl|libgdbm.*|debconf|libdebconf.*|ucf|sensible-utils|debianutils)$',
    '^(postgresql-common|postgresql-client.*|ssl-cert|openssl.*|netbase|locales|libc-l10n|libc-gconv.*)$',
    '^(systemd|libsystemd-shared|sysvinit-utils|procps|libproc2.*|adduser|passwd|login\\.defs|base-passwd)$',
    '^(libpam-.*|libaudit-common|libsemanage.*|libsepol.*|libdb5.*|libncursesw.*|readline-common)$',
    '^(gdal-.*|proj-data|gcc-.*-base)$',
  ],
  /** A third of the size of the unpacked packages. */
  excludedPaths: [
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
  /** Links that the set-up scripts would have created. */
  links: [
    ['usr/bin', 'bin'],
    ['usr/sbin', 'sbin'],
    ['usr/lib', 'lib'],
    ['usr/lib64', 'lib64'],
    ['postgis-3.control', 'usr/share/postgresql/18/extension/postgis.control'],
  ],
  /** Above the usual range of user ids, so that no user of the machine has it by chance. */
  serverUid: 47017,
  initdb: ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'],
  preload: 'pg_cron,pg_documentdb_core,pg_documentdb,pg_documentdb_extended_rum',
  afterInit: 'create extension documentdb cascade; create extension documentdb_extended_rum',
} as const;

const KEY_LENGTH = 12;

/** Identifies the build. It differs for another recipe and for another processor architecture. */
export function recipeKey(): string {
  const text = JSON.stringify([recipe, process.arch]);
  return createHash('sha256').update(text).digest('hex').slice(0, KEY_LENGTH);
}
