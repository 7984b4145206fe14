/**
 * `S3Requests` over @aws-sdk/client-s3.
 *
 * Bodies go as bytes with their length, never as `aws-chunked` streams, which several stores refuse and one stores as it is.
 * Middleware is resolved once per command and client: the SDK's own cache does so only for calls without a signal, and forgets it
 * at every call with one.
 */
import type * as Sdk from '@aws-sdk/client-s3'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { asBuffer } from '../../content.ts'
import type { CallOptions } from '../../driver.ts'
import { isStorageError } from '../../errors.ts'
import { ReadableBytes } from './byte-stream.ts'
import type { S3Connection } from './client.ts'
import { isConditional, isUndone } from './conditions.ts'
import type {
  CannedAcl,
  ConditionRequest,
  CopyRequest,
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
} from './requests.ts'
import { isThere, keyFailures, noStore, translated } from './s3-errors.ts'
import { api, type S3Api } from './sdk.ts'
import { copySource, quoted, unescaped, unquoted } from './notations.ts'
import { checksumInput, conditions, encryptionOf, headOf, objectInput, writtenOf } from './sdk-shapes.ts'
import type { S3Settings } from './settings.ts'

const EVERYBODY = 'http://acs.amazonaws.com/groups/global/AllUsers'
const READS: readonly (Sdk.Permission | undefined)[] = ['READ', 'FULL_CONTROL']

interface Command<Output> {
  readonly middlewareStack: {
    addRelativeTo(middleware: never, options: { relation: 'after'; toMiddleware: string; name: string }): void
  }
  resolveMiddleware(
    stack: never,
    config: never,
    options: CallSettings | undefined,
  ): (command: never) => Promise<{ readonly output: Output }>
}

interface CallSettings {
  readonly abortSignal: AbortSignal
}

type Handler = (command: object) => Promise<{ readonly output: unknown }>

const BASE_WAIT_MS = 100

/** Full jitter: random between none and twice as much each time. */
async function pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(Math.random() * BASE_WAIT_MS * 2 ** attempt, undefined, { signal }).catch(() => undefined)
  signal?.throwIfAborted()
}

/** An error that the SDK takes for an answer, so that it does not try again. */
class NotAgain {
  readonly error: unknown
  /** The SDK writes into it. */
  readonly $metadata = {}

  constructor(error: unknown) {
    this.error = error
  }
}

/** Commands with middleware of their own. */
const once = new WeakSet<object>()

function sentOnce<Output>(command: Command<Output>): Command<Output> {
  once.add(command)
  const keep = (next: (args: unknown) => Promise<object>) => (args: unknown) =>
    next(args).catch((error: unknown) => ({ response: undefined, output: new NotAgain(error) }))
  command.middlewareStack.addRelativeTo(keep as never, { relation: 'after', toMiddleware: 'retryMiddleware', name: 'stowageOnce' })
  return command
}

export class SdkRequests implements S3Requests {
  readonly #settings: S3Settings
  readonly #connection: S3Connection
  readonly #encryption: ReturnType<typeof encryptionOf>
  readonly #handlers = new WeakMap<object, Map<unknown, Handler>>()

  constructor(settings: S3Settings, connection: S3Connection) {
    this.#settings = settings
    this.#connection = connection
    this.#encryption = encryptionOf(settings)
  }

  async head(key: string, { versionId, ifMatch, signal }: ReadRequest): Promise<ObjectHead> {
    const input = { ...this.#at(key), ...this.#encryption.read, VersionId: versionId, IfMatch: unquoted(ifMatch) }
    return headOf(await this.#send(({ sdk }) => new sdk.HeadObjectCommand(input), signal))
  }

  async get(key: string, { versionId, ifMatch, range, signal }: ReadRequest): Promise<ObjectResponse> {
    const input = { ...this.#at(key), ...this.#encryption.read, VersionId: versionId, IfMatch: unquoted(ifMatch), Range: range }
    const output = await this.#send(({ sdk }) => new sdk.GetObjectCommand(input), signal)
    const stream = new ReadableBytes(output.Body as unknown as Readable)
    try {
      return { ...headOf(output), stream }
    } catch (error) {
      stream.destroy()
      throw error
    }
  }

  async put(key: string, bytes: Uint8Array, options: PutRequest): Promise<Written> {
    const input: Sdk.PutObjectCommandInput = {
      ...this.#at(key),
      ...objectInput(options, this.#settings),
      ...this.#encryption.write,
      ...conditions(options),
      ...checksumInput(options.checksum, this.#settings),
      Body: asBuffer(bytes),
    }
    const written = writtenOf(await this.#write(({ sdk }) => new sdk.PutObjectCommand(input), options))
    if (written.etag === undefined) throw noStore()
    return written
  }

  async delete(key: string, { versionId, ifMatch, signal }: ReadRequest): Promise<void> {
    const input = { ...this.#at(key), VersionId: versionId, IfMatch: unquoted(ifMatch) }
    await this.#send(({ sdk }) => new sdk.DeleteObjectCommand(input), signal)
  }

  async deleteMany(keys: readonly string[], { versionId, signal }: VersionRequest): Promise<readonly KeyFailure[]> {
    const Delete = { Quiet: true, Objects: keys.map((Key) => (versionId === undefined ? { Key } : { Key, VersionId: versionId })) }
    const { Errors = [] } = await this.#send(({ sdk }) => new sdk.DeleteObjectsCommand({ Bucket: this.#settings.bucket, Delete }), signal)
    return keyFailures(Errors.map(({ Key, Code, Message }) => ({ key: Key, code: Code, message: Message })))
  }

  async list({ prefix, delimited, after, token, limit, onToken, signal }: ListRequest): Promise<KeyPage> {
    const input: Sdk.ListObjectsV2CommandInput = {
      Bucket: this.#settings.bucket,
      Prefix: prefix === '' ? undefined : prefix,
      Delimiter: delimited ? '/' : undefined,
      StartAfter: token === undefined ? after : undefined,
      ContinuationToken: token,
      MaxKeys: limit,
      EncodingType: 'url', // a key with a control character would make the answer unreadable
    }
    const output = await this.#send(({ sdk }) => new sdk.ListObjectsV2Command(input), signal)
    if (output.Name === undefined && output.KeyCount === undefined && output.IsTruncated === undefined) throw noStore()
    if (output.NextContinuationToken !== undefined) onToken?.(output.NextContinuationToken)
    const decode = output.EncodingType === 'url' ? unescaped : (text: string) => text
    return {
      objects: (output.Contents ?? []).map(({ Key = '', Size = 0, LastModified, ETag }) => ({
        key: decode(Key),
        size: Size,
        lastModified: LastModified,
        etag: quoted(ETag),
      })),
      prefixes: (output.CommonPrefixes ?? []).map(({ Prefix = '' }) => decode(Prefix)),
      truncated: output.IsTruncated === true,
    }
  }

  async copy(from: string, to: string, options: CopyRequest): Promise<Written> {
    const input: Sdk.CopyObjectCommandInput = {
      ...this.#at(to),
      ...objectInput(options, this.#settings),
      ...this.#encryption.write,
      ...this.#encryption.copySource,
      ...conditions(options),
      CopySource: copySource(this.#settings.bucket, from),
      CopySourceIfMatch: unquoted(options.sourceIfMatch),
      MetadataDirective: options.replace ? 'REPLACE' : 'COPY',
      TaggingDirective: options.tags === undefined ? undefined : 'REPLACE',
    }
    const output = await this.#write(({ sdk }) => new sdk.CopyObjectCommand(input), options)
    return writtenOf({ ETag: output.CopyObjectResult?.ETag, VersionId: output.VersionId })
  }

  async tags(key: string, { versionId, signal }: VersionRequest): Promise<Readonly<Record<string, string>>> {
    const input = { ...this.#at(key), VersionId: versionId }
    const { TagSet = [] } = await this.#send(({ sdk }) => new sdk.GetObjectTaggingCommand(input), signal)
    return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]))
  }

  async isPublic(key: string, { versionId, signal }: VersionRequest): Promise<boolean> {
    const input = { ...this.#at(key), VersionId: versionId }
    const { Grants = [] } = await this.#send(({ sdk }) => new sdk.GetObjectAclCommand(input), signal)
    return Grants.some(({ Grantee, Permission }) => Grantee?.URI === EVERYBODY && READS.includes(Permission))
  }

  async setAcl(key: string, ACL: CannedAcl, { versionId, signal }: VersionRequest): Promise<void> {
    const input = { ...this.#at(key), VersionId: versionId, ACL }
    await this.#send(({ sdk }) => new sdk.PutObjectAclCommand(input), signal)
  }

  async createUpload(key: string, options: ObjectRequest): Promise<string> {
    const input: Sdk.CreateMultipartUploadCommandInput = {
      ...this.#at(key),
      ...objectInput(options, this.#settings),
      ContentType: options.contentType ?? 'application/octet-stream', // as the SDK has it for PutObject
      ...this.#encryption.write,
      ...this.#partChecksums,
    }
    const { UploadId = '' } = await this.#send(({ sdk }) => new sdk.CreateMultipartUploadCommand(input), options.signal)
    return UploadId
  }

  async uploadPart(address: PartAddress, bytes: Uint8Array, { signal }: CallOptions): Promise<Part> {
    const input = { ...this.#part(address), ...this.#encryption.read, Body: asBuffer(bytes) }
    const { ETag, ChecksumCRC32 } = await this.#send(({ sdk }) => new sdk.UploadPartCommand(input), signal)
    return { number: address.number, etag: quoted(ETag) ?? '', size: bytes.byteLength, crc32: ChecksumCRC32 }
  }

  async copyPart(address: PartAddress, { key, start, end, ifMatch }: PartSource, { signal }: CallOptions): Promise<Part> {
    const input: Sdk.UploadPartCopyCommandInput = {
      ...this.#part(address),
      ...this.#encryption.read,
      ...this.#encryption.copySource,
      CopySource: copySource(this.#settings.bucket, key),
      CopySourceRange: `bytes=${start}-${end - 1}`,
      CopySourceIfMatch: unquoted(ifMatch),
    }
    const { CopyPartResult = {} } = await this.#send(({ sdk }) => new sdk.UploadPartCopyCommand(input), signal)
    return { number: address.number, etag: quoted(CopyPartResult.ETag) ?? '', size: end - start, crc32: CopyPartResult.ChecksumCRC32 }
  }

  async listParts({ key, uploadId }: UploadAddress, { signal }: CallOptions): Promise<readonly Part[]> {
    const parts: Part[] = []
    let marker: string | undefined
    do {
      const input = { ...this.#at(key), UploadId: uploadId, PartNumberMarker: marker }
      const output = await this.#send(({ sdk }) => new sdk.ListPartsCommand(input), signal)
      for (const { PartNumber = 0, Size = 0, ETag, ChecksumCRC32 } of output.Parts ?? []) {
        parts.push({ number: PartNumber, size: Size, etag: quoted(ETag) ?? '', crc32: ChecksumCRC32 })
      }
      const next = output.IsTruncated === true ? output.NextPartNumberMarker : undefined
      marker = next !== marker ? next : undefined // a store that repeats itself has no more
    } while (marker !== undefined)
    return parts
  }

  async completeUpload({ key, uploadId }: UploadAddress, parts: readonly Part[], options: ConditionRequest): Promise<Written> {
    const input: Sdk.CompleteMultipartUploadCommandInput = {
      ...this.#at(key),
      ...this.#encryption.read,
      ...conditions(options),
      UploadId: uploadId,
      ChecksumType: this.#partChecksums?.ChecksumType,
      MultipartUpload: { Parts: parts.map(({ number, etag, crc32 }) => ({ PartNumber: number, ETag: etag, ChecksumCRC32: crc32 })) },
    }
    return writtenOf(await this.#write(({ sdk }) => new sdk.CompleteMultipartUploadCommand(input), options))
  }

  async abortUpload({ key, uploadId }: UploadAddress, { signal }: CallOptions): Promise<void> {
    await this.#send(({ sdk }) => new sdk.AbortMultipartUploadCommand({ ...this.#at(key), UploadId: uploadId }), signal)
  }

  async hasBucket({ signal }: CallOptions): Promise<boolean> {
    return isThere(this.#send(({ sdk }) => new sdk.HeadBucketCommand({ Bucket: this.#settings.bucket }), signal))
  }

  /** The client's are closed with the client. */
  close(): void {
    return undefined
  }

  /** The checksum of the whole object is made of those of its parts, so that a download can be checked as well. */
  get #partChecksums(): { readonly ChecksumAlgorithm: 'CRC32'; readonly ChecksumType: 'FULL_OBJECT' } | undefined {
    if (this.#settings.checksums !== 'WHEN_SUPPORTED' || this.#settings.client !== undefined) return undefined
    return { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#settings.bucket, Key: key }
  }

  #part({ key, uploadId, number }: PartAddress): { Bucket: string; Key: string; UploadId: string; PartNumber: number } {
    return { ...this.#at(key), UploadId: uploadId, PartNumber: number }
  }

  /** A request that makes a file. One with a condition is not left to the SDK's retries. */
  async #write<Output>(make: (api: S3Api) => Command<Output>, options: ConditionRequest): Promise<Output> {
    if (!isConditional(options)) return this.#send(make, options.signal)
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#send((api) => sentOnce(make(api)), options.signal)
      } catch (error) {
        if (attempt >= this.#settings.retries || !isStorageError(error) || !isUndone(error)) throw error
        await pause(attempt, options.signal)
      }
    }
  }

  async #send<Output>(make: (api: S3Api) => Command<Output>, signal: AbortSignal | undefined): Promise<Output> {
    signal?.throwIfAborted()
    try {
      const found = api(this.#connection)
      const opened = 'then' in found ? await found : found
      signal?.throwIfAborted()
      const command = make(opened)
      const { output } = await this.#handler(opened.client, command, signal)(command)
      if (output instanceof NotAgain) throw output.error
      return output as Output
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      throw translated(error, this.#settings.bucket)
    }
  }

  /** What sends commands of this kind. A client that came from elsewhere may get middleware at any time, so its is not kept. */
  #handler(client: Sdk.S3Client, command: Command<unknown>, signal: AbortSignal | undefined): Handler {
    const resolve = (options?: CallSettings): Handler =>
      command.resolveMiddleware(client.middlewareStack as never, client.config as never, options) as Handler
    if (signal !== undefined) return resolve({ abortSignal: signal })
    if (this.#settings.client !== undefined || once.has(command)) return resolve()
    let handlers = this.#handlers.get(client)
    if (handlers === undefined) this.#handlers.set(client, (handlers = new Map()))
    let handler = handlers.get(command.constructor)
    if (handler === undefined) handlers.set(command.constructor, (handler = resolve()))
    return handler
  }
}
