/**
 * `cdn(options)`: a content delivery network in front of a disk: its addresses, signatures and purges.
 *
 *   put ──▶ store ──▶ purge ──10 s──▶ purge again        url ──▶ {url}/{path}        temporaryUrl ──▶ the network's signature, else the store's
 *
 * Files are read and written at the store; the network reads them by itself. What is changed through this layer is purged: a failing
 * purge never fails the change, unless the disk waits for it, and is repeated until it is made. Over an encrypted disk it is refused,
 * unless a layer between serves plaintext.
 */
import type { CallOptions, Decorator, Driver, Supports } from '../../driver.ts'
import { ConfigurationError, UnsupportedError } from '../../errors.ts'
import { addressOf } from './address.ts'
import { Changes, purgedDirectories, purgedMultipart, purgedVisibility } from './changes.ts'
import { Dispatcher } from './dispatcher.ts'
import { CdnEvents, type CdnListener } from './events.ts'
import type { CdnGrant } from './grant.ts'
import { type CdnOptions, dispatcherOptions } from './options.ts'
import { purgerOf, signerOf } from './providers.ts'
import { type PurgeWhat, targetsOf } from './purge-target.ts'
import type { Purger } from './purger.ts'
import { cookiesFor, type Signing, signGrant, signUrlOf } from './signing.ts'

/** What `disk.layer('cdn')` gives. */
export interface CdnDriver extends Driver {
  readonly kind: 'cdn'
  /**
   * Purges, whatever changed. Resolves when the provider has taken it.
   * @throws UnavailableError when it has not yet: it is repeated; UnsupportedError without keys, or for what the provider cannot purge
   */
  purge(what: PurgeWhat, options?: CallOptions): Promise<void>
  /** How many targets the provider has not taken yet. Second purges that wait for their time do not count. */
  pending(): number
  /** Sends what waits. @returns whether all was taken in time; default: 5,000 ms */
  flush(options?: { readonly timeoutMs?: number | undefined }): Promise<boolean>
  /** Signs a file's address with more than an end: a beginning, an IP address, a directory. @throws UnsupportedError */
  sign(path: string, grant: CdnGrant): Promise<string>
  /** CloudFront's signed cookies, by name. @throws UnsupportedError */
  cookies(path: string, grant: CdnGrant): Promise<Readonly<Record<string, string>>>
  /** @returns what ends it */
  on(listener: CdnListener): () => void
}

declare module '../../driver.ts' {
  interface Layers {
    cdn: CdnDriver
  }
}

/** @throws ConfigurationError for an address or a key that is none, and over a disk whose files the network would get encrypted */
export function cdn(options: CdnOptions): Decorator {
  const signer = signerOf(options.provider)
  return (inner) => {
    if (showsCiphertext(inner)) {
      throw new ConfigurationError(
        'a CDN would serve what is encrypted as it is stored: put a served layer between, whose handler decrypts',
      )
    }
    const address = addressOf(options.url, inner)
    const events = new CdnEvents()
    if (options.on !== undefined) events.add(options.on)
    const purger = options.purge === false ? undefined : purgerOf(options.provider, address)
    const signing = { address, signer, forSpaces: options.provider?.type === 'spaces', now: options.now ?? (() => new Date()) }
    const dispatcher = purger && new Dispatcher(purger, dispatcherOptions(options, events))
    return cdnDriver(inner, { options, signing, events, purger, dispatcher })
  }
}

interface Parts {
  readonly options: CdnOptions
  readonly signing: Signing
  readonly events: CdnEvents
  readonly purger: Purger | undefined
  readonly dispatcher: Dispatcher | undefined
}

function cdnDriver(inner: Driver, { options, signing, events, purger, dispatcher }: Parts): CdnDriver {
  const { closeTimeoutMs = 5_000 } = options
  const changes = dispatcher && new Changes(dispatcher, { waits: options.purge === 'await' })
  const changed = <T>(paths: readonly string[], limits: CallOptions, run: () => Promise<T>): Promise<T> =>
    changes === undefined ? run() : changes.ofFiles(paths, limits, run)
  const append = inner.append?.bind(inner)
  const { visibility, directories, multipart } = inner
  const isSigned = signing.signer !== undefined
  return {
    kind: 'cdn',
    name: `cdn(${inner.name})`,
    inner: [inner],
    supports: isSigned ? signedBy(inner.supports) : inner.supports,
    visibility: visibility && changes ? purgedVisibility(visibility, changes) : visibility,
    directories: directories && changes && purger ? purgedDirectories(directories, changes, { driver: inner, purger }) : directories,
    multipart: multipart && changes ? purgedMultipart(multipart, changes) : multipart,
    append: append && ((path, content, limits) => changed([path], limits, () => append(path, content, limits))),
    publicUrl: async (path) => signing.address.url(path),
    signUrl: signUrlOf(inner, signing),
    stat: (path, limits) => inner.stat(path, limits),
    read: (path, limits) => inner.read(path, limits),
    write: (path, content, limits) => changed([path], limits, () => inner.write(path, content, limits)),
    delete: (paths, limits) => changed(paths, limits, () => inner.delete(paths, limits)),
    list: (directory, limits) => inner.list(directory, limits),
    copy: (from, to, limits) => changed([to], limits, () => inner.copy(from, to, limits)),
    move: (from, to, limits) => changed([from, to], limits, () => inner.move(from, to, limits)),
    locate: (path) => inner.locate(path),
    close: async () => dispatcher?.close(closeTimeoutMs),
    purge: async (what, limits = {}) => (changes ?? noPurger()).purge(checked(what, purger), limits),
    pending: () => dispatcher?.pending() ?? 0,
    flush: async ({ timeoutMs = 5_000 } = {}) => dispatcher?.drain(timeoutMs) ?? true,
    sign: async (path, grant) => signGrant(path, grant, signing),
    cookies: async (path, grant) => cookiesFor(path, grant, signing),
    on: (listener) => events.add(listener),
  }
}

function checked(what: PurgeWhat, purger: Purger | undefined): ReturnType<typeof targetsOf> {
  const targets = targetsOf(what)
  for (const { type } of targets) {
    if (type === 'prefix' && purger?.takesPrefixes === false)
      throw new UnsupportedError(`${purger.name} cannot purge a directory: name its files`)
    if (type === 'all' && purger?.takesAll === false) throw new UnsupportedError(`${purger.name} needs "serviceId" to purge everything`)
  }
  return targets
}

function noPurger(): never {
  throw new UnsupportedError('the disk has no keys to purge with, or does not purge')
}

/** Whether what the network fetches is encrypted: by a layer below that no served layer is above. */
function showsCiphertext(layer: Driver): boolean {
  if (!layer.supports.encryptedAtRest) return false
  if (layer.kind === 'served' && 'url' in layer && layer.url !== undefined) return false
  const encrypting = layer.inner.filter((below) => below.supports.encryptedAtRest)
  return encrypting.length === 0 || encrypting.some(showsCiphertext)
}

function signedBy(inner: Supports): Supports {
  return {
    ifAbsent: inner.ifAbsent,
    ifMatch: inner.ifMatch,
    rangedRead: inner.rangedRead,
    serverSideCopy: inner.serverSideCopy,
    metadata: inner.metadata,
    versions: inner.versions,
    temporaryUrl: true,
    temporaryUploadUrl: inner.temporaryUploadUrl,
    encryptedAtRest: inner.encryptedAtRest,
  }
}
