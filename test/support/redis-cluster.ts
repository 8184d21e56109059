import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { freePort } from '../../dev/services/managed-server.ts';
import { startRedis, type RedisServer } from '../../dev/services/redis.ts';
import type { Certificates } from './certificates.ts';
import { until } from './until.ts';

const PASSWORD_BYTES = 16;
const PRIMARIES = 3;
const SLOTS = 16_384;
/** The slots of each primary. The last primary has a few less. */
const SLOTS_EACH = Math.ceil(SLOTS / PRIMARIES);
/** A replica cannot replace its primary before it has copied the data, so it copies without delay. */
const SETTINGS = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000', 'repl-diskless-sync-delay': '0' };

/** How the nodes of a cluster use TLS. */
export interface ClusterTls {
  readonly certificates: Certificates;
  /** The name by which the nodes are known. It leads to this machine. */
  readonly hostName: string;
  /** How the nodes name each other to clients. */
  readonly announce: 'hostname' | 'ip';
}

/** A Redis Cluster on this machine: three primaries with a replica each. With TLS, only the test uses the plain ports. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];
  private readonly ports: readonly number[];
  private readonly tls: ClusterTls | undefined;

  private constructor(nodes: readonly RedisServer[], ports: readonly number[], tls: ClusterTls | undefined) {
    this.nodes = nodes;
    this.ports = ports;
    this.tls = tls;
  }

  static async start(tls?: ClusterTls): Promise<RedisCluster> {
    const password = randomBytes(PASSWORD_BYTES).toString('hex');
    const started = await Promise.all(
      Array.from({ length: 2 * PRIMARIES }, async () => {
        const tlsPort = tls && (await freePort());
        const settings = { ...SETTINGS, ...(tls && tlsSettings(tls, tlsPort ?? 0)) };
        const node = await startRedis({ settings, password });
        return { node, port: tlsPort ?? node.port };
      }),
    );
    const [nodes, ports] = [started.map(({ node }) => node), started.map(({ port }) => port)];
    const cluster = new RedisCluster(nodes, ports, tls);
    try {
      await cluster.join();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** The addresses of all nodes, as clients expect them. */
  get url(): string {
    return this.nodes.map(({ url }, at) => this.addressOf(url, this.ports[at] ?? 0)).join(',');
  }

  private addressOf(url: string, port: number): string {
    if (!this.tls) return url;
    return `rediss://:${new URL(url).password}@${this.tls.hostName}:${port}`;
  }

  /** Kills the primary that stores a key. Its replica replaces it within a second or two. */
  async killPrimaryOf(key: string): Promise<void> {
    await this.nodes[await this.findPrimaryOf(key)]?.kill('SIGKILL');
  }

  /** Returns a primary that does not store a key. */
  async nodeWithout(key: string): Promise<RedisServer> {
    return this.nodes[((await this.findPrimaryOf(key)) + 1) % PRIMARIES] as RedisServer;
  }

  private async findPrimaryOf(key: string): Promise<number> {
    const slot = Number(await this.ask(0, (redis) => redis.cluster('KEYSLOT', key)));
    return Math.floor(slot / SLOTS_EACH);
  }

  /** Returns the place of the node over which somebody listens to a channel, or -1. */
  async findListener(channel: string): Promise<number> {
    const channels = this.nodes.map((_, at) => this.ask(at, (redis) => redis.pubsub('CHANNELS', channel)));
    return (await Promise.all(channels)).findIndex((found) => (found as string[]).length > 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  private async join(): Promise<void> {
    const ids = await Promise.all(this.nodes.map((_, at) => this.ask(at, (redis) => redis.cluster('MYID'))));
    for (let at = 0; at < PRIMARIES; at += 1) {
      const [from, to] = [at * SLOTS_EACH, Math.min((at + 1) * SLOTS_EACH, SLOTS) - 1];
      await this.ask(at, (redis) => redis.cluster('ADDSLOTSRANGE', from, to));
    }
    const [firstPort = 0] = this.ports;
    for (let at = 1; at < this.nodes.length; at += 1) {
      await this.ask(at, (redis) => redis.cluster('MEET', '127.0.0.1', firstPort));
    }
    for (let at = PRIMARIES; at < this.nodes.length; at += 1) {
      const primaryId = String(ids[at - PRIMARIES]);
      await until('a replica to know its primary', () =>
        this.ask(at, async (redis) => String(await redis.cluster('NODES')).includes(primaryId)),
      );
      await this.ask(at, (redis) => redis.cluster('REPLICATE', primaryId));
    }
    await until('the cluster to be complete', async () => (await this.states()).every((state) => state));
  }

  private async states(): Promise<boolean[]> {
    const whole = async (redis: Redis): Promise<boolean> => {
      const [info, nodes] = [String(await redis.cluster('INFO')), String(await redis.cluster('NODES'))];
      const replicas = nodes.split('\n').filter((line) => line.includes('slave')).length;
      const replication = await redis.info('replication');
      const isCopied = !replication.includes('role:slave') || replication.includes('master_link_status:up');
      return info.includes('cluster_state:ok') && replicas === PRIMARIES && isCopied;
    };
    return Promise.all(this.nodes.map((_, at) => this.ask(at, whole)));
  }

  private async ask<Answer>(at: number, question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    const redis = new Redis(this.nodes[at]?.url ?? '');
    redis.on('error', () => undefined);
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }
}

/** TLS for clients, for replication and between the nodes. Clients need no certificate. */
function tlsSettings({ certificates, hostName, announce }: ClusterTls, port: number): Readonly<Record<string, string>> {
  return {
    'tls-port': String(port),
    'tls-cert-file': certificates.certificate,
    'tls-key-file': certificates.key,
    'tls-ca-cert-file': certificates.authority,
    'tls-auth-clients': 'no',
    'tls-cluster': 'yes',
    'tls-replication': 'yes',
    ...(announce === 'hostname' && {
      'cluster-announce-hostname': hostName,
      'cluster-preferred-endpoint-type': 'hostname',
    }),
  };
}
