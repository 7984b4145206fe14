/**
 * `cdn(options)`: a content delivery network in front of a disk: its addresses, signatures and purges.
 *
 *   put ──▶ store ──▶ purge ──10 s──▶ purge again        url ──▶ {url}/{path}        temporaryUrl ──▶ the network's signature, else the store's
 *
 * Files are read and written at the store; the network reads them by itself. What is changed through this layer is purged: a failing
 * purge never fails the change, unless the disk waits for it, and is repeated until it is made. Over an encrypted disk it is refused,
 * unless a layer between serves plaintext.
 */
import type { CallOptions, Decorator, DirectoryAbility, Driver, MultipartAbility, Supports, VisibilityAbility } from '../../driver.ts'
import { ConfigurationError, UnsupportedError } from '../../errors.ts'
import { Lazy } from '../../lazy.ts'
import { addressOf } from './address.ts'
import { CdnEvents, type CdnListener } from './events.ts'
import type { CdnGrant } from './grant.ts'
import { type CdnOptions, dispatcherOptions } from './options.ts'
import { canPurge, signerOf } from './providers.ts'
import type { PurgeWhat } from './purge-target.ts'
import type { Purging, PurgingOptions } from './purging.ts'
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
    const signing = { address, signer, forSpaces: options.provider?.type === 'spaces', now: options.now ?? (() => new Date()) }
    return cdnDriver(inner, { options, signing, events, purging: purgingOf(inner, { options, address, events }) })
  }
}

function purgingOf(
  inner: Driver,
  { options, address, events }: Pick<Parts, 'options' | 'events'> & Pick<Signing, 'address'>,
): Lazy<Purging> | undefined {
  const { provider, purge } = options
  if (provider === undefined || purge === false || !canPurge(provider)) return undefined
  const purging: PurgingOptions = { provider, address, dispatcher: dispatcherOptions(options, events), waits: purge === 'await' }
  return new Lazy(async () => new (await import('./purging.ts')).Purging(inner, purging))
}

interface Parts {
  readonly options: CdnOptions
  readonly signing: Signing
  readonly events: CdnEvents
  /** Undefined where nothing is purged. */
  readonly purging: Lazy<Purging> | undefined
}

function cdnDriver(inner: Driver, { options, signing, events, purging }: Parts): CdnDriver {
  const { closeTimeoutMs = 5_000 } = options
  const changed: Changed = (paths, limits, run) =>
    purging === undefined ? run() : purging.use((loaded) => loaded.ofFiles(paths, limits, run))
  const append = inner.append?.bind(inner)
  const { visibility, directories, multipart } = inner
  const isSigned = signing.signer !== undefined
  return {
    kind: 'cdn',
    name: `cdn(${inner.name})`,
    inner: [inner],
    supports: isSigned ? signedBy(inner.supports) : inner.supports,
    visibility: visibility && purging ? purgedVisibility(visibility, changed) : visibility,
    directories: directories && purging ? purgedDirectories(directories, purging) : directories,
    multipart: multipart && purging ? purgedMultipart(multipart, changed) : multipart,
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
    close: async () => purging?.ifUsed((loaded) => loaded.close(closeTimeoutMs)),
    purge: async (what, limits = {}) => (purging ?? noPurger()).use((loaded) => loaded.purge(what, limits)),
    pending: () => purging?.loaded?.pending() ?? 0,
    flush: async ({ timeoutMs = 5_000 } = {}) => purging?.use((loaded) => loaded.flush(timeoutMs)) ?? true,
    sign: async (path, grant) => signGrant(path, grant, signing),
    cookies: async (path, grant) => cookiesFor(path, grant, signing),
    on: (listener) => events.add(listener),
  }
}

type Changed = <T>(paths: readonly string[], limits: CallOptions, run: () => Promise<T>) => Promise<T>

function purgedVisibility(inner: VisibilityAbility, changed: Changed): VisibilityAbility {
  return {
    get: (path, limits) => inner.get(path, limits),
    set: (path, visibility, limits) => changed([path], limits, () => inner.set(path, visibility, limits)),
  }
}

function purgedDirectories(inner: DirectoryAbility, purging: Lazy<Purging>): DirectoryAbility {
  return {
    exists: (path, limits) => inner.exists(path, limits),
    create: (path, limits) => inner.create(path, limits),
    delete: (path, limits) => purging.use((loaded) => loaded.ofDirectory(path, limits, () => inner.delete(path, limits))),
  }
}

function purgedMultipart(inner: MultipartAbility, changed: Changed): MultipartAbility {
  return {
    create: (path, limits) => inner.create(path, limits),
    part: (path, uploadId, number, content, limits) => inner.part(path, uploadId, number, content, limits),
    list: (path, uploadId, limits) => inner.list(path, uploadId, limits),
    complete: (path, uploadId, parts, limits) => changed([path], limits, () => inner.complete(path, uploadId, parts, limits)),
    abort: (path, uploadId, limits) => inner.abort(path, uploadId, limits),
  }
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
