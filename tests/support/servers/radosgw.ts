/**
 * Ceph's S3 gateway on a cluster of one monitor and one store in memory. It checks signatures, policies, ACLs, conditions and expiry.
 *
 *   ceph-mon ◀── ceph-osd (memstore) ◀── radosgw ──▶ http and https on 127.0.0.1
 *
 * No manager, no cephx, no systemd. Data that is deleted is freed after seconds; all of it is in RAM.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listening } from './azurite.ts'
import { cephConfiguration } from './ceph-configuration.ts'
import { startSharedCertificates } from './certificates.ts'
import { askKeeper } from './keeper-client.ts'
import { endDaemon, folderOf, freePort, type Daemon, need, ready, runCommand, startDaemon, withRetries } from './processes.ts'

export interface S3Keys {
  readonly key: string
  readonly secret: string
}

export interface S3Server extends S3Keys {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  /** The same over TLS, with a certificate of `localhost`, `*.localhost` and 127.0.0.1. */
  readonly tlsEndpoint: string
  /** What clients of `tlsEndpoint` have to trust, as PEM; undefined for a real account. */
  readonly ca: string | undefined
  readonly region: string
  readonly pathStyle: true
  /** A second user, who owns other buckets. */
  readonly other: S3Keys
  /** What names of buckets begin with. */
  readonly bucketPrefix: string
  /** Whether it is a real account, which the environment names. */
  readonly real: boolean
}

/** A storage class that radosgw has beside STANDARD. */
const STORAGE_CLASS = 'STANDARD_IA'

/** The radosgw of this run, or what `STOWAGE_TEST_S3_ENDPOINT` and the others name. */
export async function radosgw(): Promise<S3Server> {
  const value = (name: string): string | undefined => process.env[`STOWAGE_TEST_S3_${name}`]
  const endpoint = value('ENDPOINT')
  if (endpoint === undefined) return askKeeper<S3Server>('radosgw')
  const keys = (prefix: string): S3Keys => {
    const [key, secret] = [value(`${prefix}KEY`), value(`${prefix}SECRET`)]
    if (key === undefined || secret === undefined) throw new Error(`this test needs STOWAGE_TEST_S3_${prefix}KEY and _${prefix}SECRET`)
    return { key, secret }
  }
  return {
    ...keys(''),
    endpoint,
    tlsEndpoint: endpoint,
    ca: undefined,
    region: value('REGION') ?? 'us-east-1',
    pathStyle: true,
    real: true,
    bucketPrefix: value('BUCKET_PREFIX') ?? 'stowage-test-',
    get other(): S3Keys {
      return keys('OTHER_')
    },
  }
}

export async function startRadosgw(run: string): Promise<S3Server> {
  for (const program of ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin']) need(program)
  const certificates = startSharedCertificates(run)
  certificates.catch(() => {}) // Awaited where it is used.
  return withRetries(async () => {
    const cluster = await startCluster(run, folderOf(run, `ceph-${randomUUID()}`))
    try {
      return await startGateway(cluster, (await certificates).ca)
    } catch (error) {
      for (const daemon of cluster.daemons) await endDaemon(run, daemon)
      throw error
    }
  })
}

interface Cluster {
  readonly run: string
  readonly folder: string
  readonly conf: string
  readonly daemons: Daemon[]
  readonly port: number
  readonly tlsPort: number
}

async function startCluster(run: string, folder: string): Promise<Cluster> {
  for (const name of ['mon', 'osd', 'rgw', 'run', 'log']) await mkdir(join(folder, name))
  const [monitorPort, port, tlsPort] = [await freePort(), await freePort(), await freePort()]
  const { certFile, keyFile } = await startSharedCertificates(run)
  const [conf, keyring, map, cluster, store] = [
    join(folder, 'conf'),
    join(folder, 'keyring'),
    join(folder, 'map'),
    randomUUID(),
    randomUUID(),
  ]
  await writeFile(conf, cephConfiguration({ folder, cluster, monitorPort, port, tlsPort, certFile, keyFile }))
  await writeFile(keyring, '')
  const monitor = ['--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`]
  await runCommand(['monmaptool', '--create', '--clobber', '--fsid', cluster, ...monitor, map])
  await runCommand(['ceph-mon', '-c', conf, '-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring])
  const daemons: Daemon[] = []
  const start = (name: string, command: readonly string[]): Daemon => {
    const daemon = startDaemon(run, command, join(folder, 'log', `${name}.out`))
    daemons.push(daemon)
    return daemon
  }
  try {
    const ceph = ['ceph', '-c', conf, '--connect-timeout', '20']
    await listening(start('mon', ['ceph-mon', '-c', conf, '-i', 'a', '-f']), monitorPort) // A client that is refused once backs off for seconds.
    await runCommand([...ceph, 'osd', 'new', store])
    await runCommand(['ceph-osd', '-c', conf, '-i', '0', '--mkfs', '--osd-uuid', store, '--no-mon-config'])
    const osd = start('osd', ['ceph-osd', '-c', conf, '-i', '0', '-f'])
    await ready(osd, async () => (await runCommand([...ceph, 'osd', 'stat'])).includes('1 up'))
    return { run, folder, conf, daemons, port, tlsPort }
  } catch (error) {
    for (const daemon of daemons) await endDaemon(run, daemon)
    throw error
  }
}

async function startGateway({ run, folder, conf, daemons, port, tlsPort }: Cluster, ca: string): Promise<S3Server> {
  const admin = ['radosgw-admin', '-c', conf, '-n', 'client.rgw']
  const addUser = async (uid: string): Promise<S3Keys> => {
    const [key, secret] = [`${uid}-${randomBytes(6).toString('hex')}`, randomBytes(20).toString('hex')]
    await runCommand([...admin, 'user', 'create', `--uid=${uid}`, `--display-name=${uid}`, `--access-key=${key}`, `--secret-key=${secret}`])
    return { key, secret }
  }
  const first = await addUser('first') // Makes the default pools, too.
  const placement = ['placement', 'add', '--placement-id', 'default-placement', '--storage-class', STORAGE_CLASS]
  await runCommand([...admin, 'zonegroup', ...placement, '--rgw-zonegroup', 'default'])
  await runCommand([...admin, 'zone', ...placement, '--rgw-zone', 'default', '--data-pool', 'default.rgw.buckets.data'])
  const gateway = startDaemon(run, ['radosgw', '-c', conf, '-n', 'client.rgw', '-f'], join(folder, 'log', 'rgw.out'))
  daemons.push(gateway)
  const endpoint = `http://127.0.0.1:${port}`
  const [other] = await Promise.all([addUser('other'), ready(gateway, async () => (await fetch(endpoint)).ok)])
  const tlsEndpoint = `https://127.0.0.1:${tlsPort}`
  return { ...first, endpoint, tlsEndpoint, ca, region: 'us-east-1', pathStyle: true, other, bucketPrefix: 'stowage-test-', real: false }
}
