/**
 * `served(options)`: URLs of our own for stores that have none, answered by the handler of `stowage/http`.
 *
 *   {url}/{disk}/{path}?expires=…&signature=…     signed: GET, HEAD and PUT       `url`: where the handler is mounted
 *   {publicUrl}/{path}                            public: of a web server or CDN that has the same files
 *
 * With `publicUrl` alone only public URLs change. Everything but URLs is the inner driver's, member by member. Paths are signed as
 * they are given, so layers above may change them, and the disk of that name must be asked for them.
 */
import type { Decorator, Driver, SignedRequest, SignOptions, Supports, Visibility } from '../driver.ts'
import { ConfigurationError, quote } from '../errors.ts'
import { encodePath, encodeSegment } from '../path.ts'
import { type Grant, type SignedTarget, type SigningSecret, signingKeys, signQuery, verifyQuery } from '../url-signature.ts'

export interface ServedOptions {
  /** The disk's name: the handler looks it up by this. */
  readonly disk: string
  /** Where the handler is mounted: a path or an absolute URL. Default `/storage`. */
  readonly url?: string | undefined
  /** The base of public URLs; default: the inner driver's own, else `{url}/{disk}`. */
  readonly publicUrl?: string | undefined
  /** One, or several by key id, each random and long: the first signs, all verify. Without one signing is a ConfigurationError. */
  readonly secret?: SigningSecret | undefined
  /** The disk's configured visibility: unsigned requests are answered for public files of a public disk only. */
  readonly visibility?: Visibility | undefined
  readonly now?: (() => Date) | undefined
}

/** What the handler needs to know of a served disk. */
export interface ServedDriver extends Driver {
  readonly kind: 'served'
  /** The name of the disk that the URLs are for. */
  readonly disk: string
  /** Where the handler is mounted; undefined when only public URLs are made. */
  readonly url: string | undefined
  /** What the disk's configuration says, not any file. */
  readonly diskVisibility: Visibility | undefined
  /** @returns what the query allows; undefined unless it is a valid signature for this. @throws ConfigurationError without a good secret */
  verify(method: SignedTarget['method'], path: string, query: URLSearchParams): Grant | undefined
}

declare module '../driver.ts' {
  interface Layers {
    served: ServedDriver
  }
}

/** @throws ConfigurationError for a base URL with a query or a fragment */
export function served(options: ServedOptions): Decorator {
  const { disk, visibility } = options
  const publicBase = options.publicUrl === undefined ? undefined : baseUrl(options.publicUrl)
  const serving = publicBase === undefined || options.url !== undefined || options.secret !== undefined
  const url = serving ? baseUrl(options.url ?? '/storage') : undefined
  const root = url === undefined ? undefined : `${url}/${encodeSegment(disk)}`
  return (inner) => ({
    kind: 'served',
    name: `served(${inner.name})`,
    inner: [inner],
    supports: serving ? signing(inner.supports) : inner.supports,
    disk,
    url,
    diskVisibility: visibility,
    verify: verifier(options, serving),
    visibility: inner.visibility,
    directories: inner.directories,
    multipart: inner.multipart,
    append: inner.append?.bind(inner),
    publicUrl: publicUrlOf(inner, publicBase, root),
    signUrl: root === undefined ? inner.signUrl?.bind(inner) : signer(options, root),
    stat: (path, options) => inner.stat(path, options),
    read: (path, options) => inner.read(path, options),
    write: (path, content, options) => inner.write(path, content, options),
    delete: (paths, options) => inner.delete(paths, options),
    list: (directory, options) => inner.list(directory, options),
    copy: (from, to, options) => inner.copy(from, to, options),
    move: (from, to, options) => inner.move(from, to, options),
    locate: (path) => inner.locate(path),
    close: () => Promise.resolve(),
  })
}

/** @param root what the URLs of the disk begin with */
function signer({ disk, secret }: ServedOptions, root: string): (path: string, request: SignOptions) => Promise<SignedRequest> {
  return async (path, request) => {
    const { method, expiresAt, contentType } = request
    const query = signQuery({ disk, method, path }, request, { keys: signingKeys(secret), expiresAt })
    const headers = method === 'PUT' && contentType !== undefined ? { 'Content-Type': contentType } : {}
    return { url: `${root}/${encodePath(path)}?${query}`, method, headers }
  }
}

function verifier({ disk, secret, now = () => new Date() }: ServedOptions, serving: boolean): ServedDriver['verify'] {
  return (method, path, query) =>
    serving ? verifyQuery({ disk, method, path }, query, { keys: signingKeys(secret), now: now() }) : undefined
}

function publicUrlOf(inner: Driver, publicBase: string | undefined, root: string | undefined): Driver['publicUrl'] {
  if (publicBase !== undefined) return async (path) => `${publicBase}/${encodePath(path)}`
  if (inner.publicUrl !== undefined) return inner.publicUrl.bind(inner)
  return root === undefined ? undefined : async (path) => `${root}/${encodePath(path)}`
}

function signing(inner: Supports): Supports {
  return {
    ifAbsent: inner.ifAbsent,
    ifMatch: inner.ifMatch,
    rangedRead: inner.rangedRead,
    serverSideCopy: inner.serverSideCopy,
    metadata: inner.metadata,
    versions: inner.versions,
    temporaryUrl: true,
    temporaryUploadUrl: true,
    encryptedAtRest: inner.encryptedAtRest,
  }
}

/** Without a slash at its end; a path begins with one. */
function baseUrl(url: string): string {
  if (/[?#\s\\]/.test(url)) throw new ConfigurationError(`the base URL ${quote(url)} must have no query, fragment, backslash or space`)
  const base = url.replace(/\/+$/, '')
  return base === '' || base.startsWith('/') || /^[a-z][a-z\d+.-]*:\/\//i.test(base) ? base : `/${base}`
}
