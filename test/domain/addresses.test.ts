import { describe, expect, it } from 'vitest';
import { problemForDriver } from '../../src/mongo/driver-options.ts';
import { databaseNameIn, problemOfMongodbUri } from '../../src/mongo/mongodb-address.ts';
import { parseRedisUrl, problemOfRedisUrl } from '../../src/queue/redis-address.ts';

/** Password and user of the addresses. No message contains them, or a part of them. */
const SECRETS = ['s3cret', 'alice', 'hunter'];

function expectProblem(problem: string | undefined, words: RegExp): void {
  expect(problem).toMatch(words);
  for (const secret of SECRETS) expect(problem).not.toContain(secret);
}

describe('the address of Redis', () => {
  it.each([
    ['redis://127.0.0.1', { nodes: [{ host: '127.0.0.1', port: 6379 }], database: 0, usesTls: false }],
    ['redis://alice:s3cret@cache.local:6380/3', { username: 'alice', password: 's3cret', database: 3 }],
    [
      'rediss://:s3%2Fcr%40t@[::1]:6380/0',
      { password: 's3/cr@t', usesTls: true, nodes: [{ host: '::1', port: 6380 }] },
    ],
    ['redis://:s3,cret@host:1', { password: 's3,cret', nodes: [{ host: 'host', port: 1 }] }],
    ['redis://a:1,redis://b:2', { nodes: [{ host: 'a', port: 1 }, { host: 'b', port: 2 }] }], // prettier-ignore
    ['redis://:s3,cret@a:1,redis://b:2', { password: 's3,cret' }],
    ['redis://host?family=6', { family: 6 }],
  ])('%s is read', (redisUrl, parts) => {
    expect(parseRedisUrl(redisUrl)).toMatchObject(parts);
  });

  it.each([
    ['redis://alice:s3cret@host:65536', /port/],
    ['redis://alice:s3cret@host:63x79', /port/],
    ['redis://alice:s3cret@host:', /port/],
    ['redis://alice:s3cret@host:0', /port/],
    ['redis://alice:s3cret@', /no host/],
    ['redis://alice:s3cret@ho st', /white space/],
    ['redis://alice:s3cret@ho$t', /host/],
    ['redis://alice:s3cret@host/prod', /database number/],
    ['redis://alice:s3cret@host/-1', /database number/],
    ['redis://alice:s3/cret@host', /percent-encoded/],
    ['redis://alice:12/s3cret@host', /percent-encoded/],
    ['redis://alice:s3@cret@host', /percent-encoded/],
    ['redis://alice:s3:cret@host', /percent-encoded/],
    ['redis://alice:s3#cret@host', /percent-encoded/],
    ['redis://alice:12?s3cret@host', /parameter/],
    ['redis://alice:s3%cret@host', /%25/],
    ['redis://alice:s3cret@host?tls=hunter', /parameter/],
    ['redis://alice:s3cret@host?family=hunter', /family/],
    ['redis://alice:s3cret@host?family=4&family=6', /family twice/],
    ['', /redis:\/\//],
    ['http://alice:s3cret@host', /redis:\/\//],
    ['alice:s3cret@host', /redis:\/\//],
    ['redis://alice:s3cret@a,b', /host|percent-encoded/],
    ['redis://alice:s3cret@a,redis://hunter:s3cret@b', /differ/],
    ['redis://alice:s3cret@a,rediss://alice:s3cret@b', /differ/],
    ['redis://a/1,redis://b/1', /number 0/],
  ])('%s is refused in words', (redisUrl, words) => {
    expectProblem(problemOfRedisUrl(redisUrl), words);
    expect(() => parseRedisUrl(redisUrl)).toThrow(expect.objectContaining({ code: 'bad-config' }) as Error);
  });
});

describe('the address of MongoDB', () => {
  it('means the database baton when it names none', () => {
    for (const uri of ['mongodb://host:27017', 'mongodb://host/?replicaSet=rs0', 'mongodb://host/']) {
      expect(databaseNameIn(uri)).toBe('baton');
    }
    expect(databaseNameIn('mongodb://alice:s3cret@a,b/texting?replicaSet=rs0')).toBe('texting');
  });

  it.each([
    'mongodb://127.0.0.1:27017/baton?replicaSet=rs0',
    'mongodb://alice:s3cret@a:1,b:2,[::1]:3/baton?replicaSet=rs0&w=majority',
    'mongodb+srv://alice:s3cret@cluster.example.org/baton',
    'mongodb://alice:s3cret@h.example.com:10255/?ssl=true&replicaSet=globaldb&appName=@alice@',
    'mongodb://host',
    'mongodb://host/?authSource=admin',
    'mongodb://host/?socketTimeoutMS=0&compressors=zlib',
  ])('%s is read', (uri) => {
    expect(problemOfMongodbUri(uri) ?? problemForDriver(uri)).toBeUndefined();
  });

  it.each([
    ['mongodb://alice:s3cret@host:x', /port/],
    ['mongodb://alice:s3cret@a:1,b:99999/baton', /port/],
    ['mongodb://alice:s3cret@a:1,/baton', /no host/],
    ['mongodb://alice:s3/cret@host/baton', /percent-encoded/],
    ['mongodb://alice:s3@cret@host/baton', /percent-encoded/],
    ['mongodb://:s3cret@host', /user name/],
    ['mongodb+srv://alice:s3cret@host:27017/baton', /no port/],
    ['mongodb+srv://alice:s3cret@a.example.org,b.example.org/baton', /exactly one host/],
    ['mongodb://host/bat on', /white space/],
    ['mongodb://host/bat%20on', /name of a database/],
    ['mongodb://host/bat.on', /name of a database/],
    [
      'mongodb://alice:s3cret@host/baton?replicaSet=rs0&wibble=hunter',
      /an option that the driver of MongoDB does not know/,
    ],
    ['mongodb://alice:s3cret@host/baton?heartbeatFrequencyMS=hunter', /a value of heartbeatFrequencyMS that/],
    ['postgres://alice:s3cret@host', /mongodb:\/\//],
    ['mongodb://host/?readConcernLevel=local', /another value of readconcernlevel than majority/],
    ['mongodb://host/?w=1', /another value of w than majority/],
    ['mongodb://host/?journal=false', /another value of journal than true/],
    ['mongodb://host/?readPreference=secondary', /another value of readpreference than primary/],
    ['mongodb://host/?wtimeoutMS=5', /has the option wtimeoutms/],
    ['mongodb://host/?maxPoolSize=7', /has the option maxpoolsize/],
    ['mongodb://host/?minPoolSize=100', /has the option minpoolsize/],
    ['mongodb://host/?j=false', /another value of j than true/],
    ['mongodb://host/?promoteValues=false', /has the option promotevalues; remove it/],
    ['mongodb://host/?raw=true', /has the option raw; remove it/],
    ['mongodb://host/?socketTimeoutMS=1', /a value of sockettimeoutms under 15000/],
    ['mongodb://host/?connectTimeoutMS=1', /a value of connecttimeoutms under 1000/],
    ['mongodb://host/?compressors=snappy', /other compressors than none and zlib/],
    ['mongodb://alice:s3cret@host/admin', /the database admin, in which MongoDB has no transactions/],
    ['mongodb://alice:s3cret@a,b/?directConnection=true', /options that the driver of MongoDB refuses/],
    ['mongodb://alice:s3%cret@host', /%25/],
    ['mongodb://', /no host/],
  ])('%s is refused in words', (uri, words) => {
    expectProblem(problemOfMongodbUri(uri) ?? problemForDriver(uri), words);
  });
});
