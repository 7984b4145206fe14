/**
 * `S3Requests` over a transport of our own: the requests that move bytes, and those that end and begin uploads. What is asked seldom
 * (tags, ACLs) stays with the SDK.
 *
 * Every request is made of plain text and its answer read by hand: no models, no middleware. Amazon S3 API reference, "Actions".
 */
import type { CallOptions } from '../../../driver.ts'
import { encodePath } from '../../../path.ts'
import { isConditional } from '../conditions.ts'
import type {
  CannedAcl,
  ConditionRequest,
  CopyRequest,
  GetRequest,
  KeyFailure,
  KeyPage,
  ListRequest,
  ObjectHead,
  ObjectRequest,
  ObjectResponse,
  Part,
  PartAddress,
  PartSource,
  PutRequest,
  ReadRequest,
  S3Requests,
  UploadAddress,
  VersionRequest,
  Written,
} from '../requests.ts'
import { isThere, keyFailures, noStore } from '../s3-errors.ts'
import { copySource, unquoted } from '../notations.ts'
import type { S3Identity, S3Settings } from '../settings.ts'
import { deletionReader, keyPageReader, partsReader, uploadIdReader, writtenReader } from './answers.ts'
import { completionBody, deletionBody } from './bodies.ts'
import { checkOf, wholeBody } from './checked-body.ts'
import { Credentials, type LoadIdentity } from './credentials.ts'
import {
  checksumHeader,
  conditionHeaders,
  crc32Of,
  customerKey,
  encryptionHeaders,
  headOf,
  type Headers,
  md5Of,
  objectHeaders,
  put,
  textOf,
  versionOf,
  writtenOf,
} from './object-headers.ts'
import { type Address, addressOf } from './origin.ts'
import { drop, readInto, readResult } from './read-answer.ts'
import { encodeQuery } from './signature.ts'
import { Transport } from './transport.ts'

/** What the SDK supplies, when it is needed. */
export interface SdkSources {
  /** Requests that are made too seldom to be written twice. */
  readonly others: () => Promise<S3Requests>
  /** The SDK's own search for credentials: environment, profile, SSO, web identity, container, instance. */
  readonly loadIdentity: LoadIdentity
  /** The SDK's own search for the region and the endpoint. */
  readonly findAddress: () => Promise<Address>
}

/** The requests of one disk, over a transport of its own. Nothing is opened yet. */
export function leanRequests(settings: S3Settings, { others, loadIdentity, findAddress }: SdkSources): S3Requests {
  const { bucket } = settings
  const credentials = new Credentials(settings.credentials ?? loadIdentity, { bucket })
  const transport = new Transport({ settings, credentials, address: () => addressOf(settings, findAddress) })
  return new LeanRequests(settings, { transport, credentials, others })
}

interface LeanParts {
  readonly transport: Transport
  readonly credentials: Credentials
  readonly others: () => Promise<S3Requests>
}

const OCTETS = 'application/octet-stream'
/** Answers up to this size are read when they come: that takes less than making streams of them. */
const EAGER_BYTES = 64 * 1024

export class LeanRequests implements S3Requests {
  readonly #settings: S3Settings
  readonly #transport: Transport
  /** The SDK's, for what is asked seldom; loaded when it is. */
  readonly #others: () => Promise<S3Requests>
  /** Where checksums are wanted, the store keeps one of every object. */
  readonly #keepsChecksums: boolean

  readonly identity: () => S3Identity | Promise<S3Identity>

  constructor(settings: S3Settings, { transport, credentials, others }: LeanParts) {
    this.#settings = settings
    this.#transport = transport
    this.#others = others
    this.identity = () => credentials.get()
    this.#keepsChecksums = settings.checksums === 'WHEN_SUPPORTED'
  }

  head(key: string, { versionId, ifMatch, signal }: ReadRequest): Promise<ObjectHead> {
    const headers: Headers = {}
    put(headers, 'if-match', unquoted(ifMatch))
    customerKey(headers, this.#settings)
    return this.#transport.send({ method: 'HEAD', path: pathOf(key), query: versioned(versionId), headers, signal }, async (answer) => {
      await drop(answer)
      return headOf(answer.headers)
    })
  }

  get(key: string, { versionId, ifMatch, range, eager, signal }: GetRequest): Promise<ObjectResponse> {
    const headers: Headers = {}
    put(headers, 'if-match', unquoted(ifMatch))
    put(headers, 'range', range)
    if (this.#keepsChecksums && range === undefined) headers['x-amz-checksum-mode'] = 'ENABLED'
    customerKey(headers, this.#settings)
    return this.#transport.send({ method: 'GET', path: pathOf(key), query: versioned(versionId), headers, signal }, async (answer) => {
      try {
        const head = headOf(answer.headers)
        if (eager !== true || head.contentLength > EAGER_BYTES) {
          return { ...head, stream: answer, check: checkOf(answer) }
        }
        return { ...head, stream: answer, bytes: await wholeBody(answer, head.contentLength) }
      } catch (error) {
        answer.destroy()
        throw error
      }
    })
  }

  put(key: string, bytes: Uint8Array, options: PutRequest): Promise<Written> {
    const headers: Headers = { 'content-type': OCTETS }
    objectHeaders(headers, options, this.#settings)
    encryptionHeaders(headers, this.#settings)
    conditionHeaders(headers, options)
    if (options.checksum !== undefined) checksumHeader(headers, options.checksum, this.#settings)
    if (this.#keepsChecksums && !hasChecksum(headers)) headers['x-amz-checksum-crc32'] = crc32Of(bytes)
    const request = { method: 'PUT', path: pathOf(key), query: '', headers, body: bytes, ...guarded(options) } as const
    return this.#transport.send(request, async (answer) => {
      await drop(answer)
      const written = writtenOf(answer.headers)
      if (written.etag === undefined) throw noStore()
      return written
    })
  }

  delete(key: string, { versionId, ifMatch, signal }: ReadRequest): Promise<void> {
    const headers: Headers = {}
    put(headers, 'if-match', unquoted(ifMatch))
    return this.#transport.send({ method: 'DELETE', path: pathOf(key), query: versioned(versionId), headers, signal }, drop)
  }

  async deleteMany(keys: readonly string[], { versionId, signal }: VersionRequest): Promise<readonly KeyFailure[]> {
    const body = deletionBody(keys, versionId)
    const headers: Headers = { 'content-type': 'application/xml', ...this.#bodyChecksum(body) }
    const failures = await this.#transport.send({ method: 'POST', path: '', query: 'delete=', headers, body, signal }, (answer) =>
      readResult(answer, deletionReader()),
    )
    return keyFailures(failures)
  }

  list({ prefix, delimited, after, token, limit, onToken, signal }: ListRequest): Promise<KeyPage> {
    const query = encodeQuery({
      'continuation-token': token,
      delimiter: delimited ? '/' : undefined,
      'encoding-type': 'url', // a key with a control character would make the answer unreadable
      'list-type': '2',
      'max-keys': String(limit),
      prefix: prefix === '' ? undefined : prefix,
      'start-after': token === undefined ? after : undefined,
    })
    return this.#transport.send({ method: 'GET', path: '', query, headers: {}, signal }, (answer) =>
      readInto(answer, keyPageReader(onToken)),
    )
  }

  copy(from: string, to: string, options: CopyRequest): Promise<Written> {
    const headers: Headers = {
      'x-amz-copy-source': copySource(this.#settings.bucket, from),
      'x-amz-metadata-directive': options.replace ? 'REPLACE' : 'COPY',
    }
    if (options.tags !== undefined) headers['x-amz-tagging-directive'] = 'REPLACE'
    put(headers, 'x-amz-copy-source-if-match', unquoted(options.sourceIfMatch))
    objectHeaders(headers, options, this.#settings)
    encryptionHeaders(headers, this.#settings)
    customerKey(headers, this.#settings, 'x-amz-copy-source-server-side')
    conditionHeaders(headers, options)
    return this.#transport.send({ method: 'PUT', path: pathOf(to), query: '', headers, ...guarded(options) }, async (answer) => {
      const { etag } = await readResult(answer, writtenReader())
      return { etag, versionId: versionOf(answer.headers) }
    })
  }

  async tags(key: string, options: VersionRequest): Promise<Readonly<Record<string, string>>> {
    return (await this.#others()).tags(key, options)
  }

  async isPublic(key: string, options: VersionRequest): Promise<boolean> {
    return (await this.#others()).isPublic(key, options)
  }

  async setAcl(key: string, acl: CannedAcl, options: VersionRequest): Promise<void> {
    await (await this.#others()).setAcl(key, acl, options)
  }

  createUpload(key: string, options: ObjectRequest): Promise<string> {
    const headers: Headers = { 'content-type': OCTETS }
    objectHeaders(headers, options, this.#settings)
    encryptionHeaders(headers, this.#settings)
    if (this.#keepsChecksums) {
      // The checksum of the whole object is made of those of its parts, so that a download can be checked as well.
      headers['x-amz-checksum-algorithm'] = 'CRC32'
      headers['x-amz-checksum-type'] = 'FULL_OBJECT'
    }
    const request = { method: 'POST', path: pathOf(key), query: 'uploads=', headers, signal: options.signal } as const
    return this.#transport.send(request, (answer) => readInto(answer, uploadIdReader()))
  }

  uploadPart(address: PartAddress, bytes: Uint8Array, { signal }: CallOptions): Promise<Part> {
    const headers: Headers = { 'content-type': OCTETS }
    customerKey(headers, this.#settings)
    const crc32 = this.#keepsChecksums ? crc32Of(bytes) : undefined
    put(headers, 'x-amz-checksum-crc32', crc32)
    const request = { method: 'PUT', path: pathOf(address.key), query: partQuery(address), headers, body: bytes, signal } as const
    return this.#transport.send(request, async (answer) => {
      await drop(answer)
      const { etag = '' } = writtenOf(answer.headers)
      const kept = textOf(answer.headers, 'x-amz-checksum-crc32')
      return { number: address.number, etag, size: bytes.byteLength, crc32: kept }
    })
  }

  copyPart(address: PartAddress, { key, start, end, ifMatch }: PartSource, { signal }: CallOptions): Promise<Part> {
    const headers: Headers = {
      'x-amz-copy-source': copySource(this.#settings.bucket, key),
      'x-amz-copy-source-range': `bytes=${start}-${end - 1}`,
    }
    put(headers, 'x-amz-copy-source-if-match', unquoted(ifMatch))
    customerKey(headers, this.#settings)
    customerKey(headers, this.#settings, 'x-amz-copy-source-server-side')
    const request = { method: 'PUT', path: pathOf(address.key), query: partQuery(address), headers, signal } as const
    return this.#transport.send(request, async (answer) => {
      const { etag = '', checksumCrc32 } = await readResult(answer, writtenReader())
      return { number: address.number, etag, size: end - start, crc32: checksumCrc32 }
    })
  }

  async listParts({ key, uploadId }: UploadAddress, { signal }: CallOptions): Promise<readonly Part[]> {
    const all: Part[] = []
    let marker: string | undefined
    do {
      const query = encodeQuery({ 'part-number-marker': marker, uploadId })
      const request = { method: 'GET', path: pathOf(key), query, headers: {}, signal } as const
      const { parts, next } = await this.#transport.send(request, (answer) => readInto(answer, partsReader()))
      all.push(...parts)
      marker = next !== marker ? next : undefined // a store that repeats itself has no more
    } while (marker !== undefined)
    return all
  }

  completeUpload({ key, uploadId }: UploadAddress, parts: readonly Part[], options: ConditionRequest): Promise<Written> {
    const body = completionBody(parts)
    const headers: Headers = { 'content-type': 'application/xml' }
    customerKey(headers, this.#settings)
    conditionHeaders(headers, options)
    if (this.#keepsChecksums) headers['x-amz-checksum-type'] = 'FULL_OBJECT'
    const query = encodeQuery({ uploadId })
    return this.#transport.send({ method: 'POST', path: pathOf(key), query, headers, body, ...guarded(options) }, async (answer) => {
      const { etag } = await readResult(answer, writtenReader())
      return { etag, versionId: versionOf(answer.headers) }
    })
  }

  abortUpload({ key, uploadId }: UploadAddress, { signal }: CallOptions): Promise<void> {
    return this.#transport.send({ method: 'DELETE', path: pathOf(key), query: encodeQuery({ uploadId }), headers: {}, signal }, drop)
  }

  async hasBucket({ signal }: CallOptions): Promise<boolean> {
    return isThere(this.#transport.send({ method: 'HEAD', path: '', query: '', headers: {}, signal }, drop))
  }

  close(): void {
    this.#transport.close()
  }

  /** DeleteObjects wants one: the newer where it is known, else the one that all know. */
  #bodyChecksum(body: Uint8Array): Headers {
    return this.#keepsChecksums ? { 'x-amz-checksum-crc32': crc32Of(body) } : { 'content-md5': md5Of(body) }
  }
}

function pathOf(key: string): string {
  return `/${encodePath(key)}`
}

function versioned(versionId: string | undefined): string {
  return versionId === undefined ? '' : encodeQuery({ versionId })
}

function partQuery({ number, uploadId }: PartAddress): string {
  return encodeQuery({ partNumber: String(number), uploadId })
}

function guarded(options: ConditionRequest): { readonly isConditional: boolean; readonly signal: AbortSignal | undefined } {
  return { isConditional: isConditional(options), signal: options.signal }
}

function hasChecksum(headers: Headers): boolean {
  for (const name in headers) if (name.startsWith('x-amz-checksum-')) return true
  return false
}
