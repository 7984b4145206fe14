/**
 * Writing a file: one request when it fits into a part, else a multipart upload in bounded memory.
 *
 *   bytes        ≤ partSize ─▶ PutObject                larger ─▶ parts that are views of them, nothing copied
 *   stream       first part buffered: it ends ─▶ PutObject;  it goes on ─▶ parts in (partConcurrency + 1) buffers
 *
 * What is sent is always bytes, so a part that failed is sent again without asking the source.
 */
import type { Content, WriteOptions, WriteResult } from '../../driver.ts'
import { isConditional, lost } from './conditions.ts'
import { newObject } from './facts.ts'
import { checkKey } from './keys.ts'
import { PartReader } from './part-reader.ts'
import { concurrencyFor, partSizeOf } from './part-sizes.ts'
import type { PutRequest } from './requests.ts'
import type { S3Store } from './store.ts'
import { type SendPart, Upload } from './upload.ts'

/** What is to be put, and where. */
interface KeyedPut extends PutRequest {
  readonly key: string
}

/** @throws FileExistsError or PreconditionFailedError when a condition is lost; the file is then what it was */
export async function writeObject(store: S3Store, path: string, content: Content, options: WriteOptions): Promise<WriteResult> {
  const key = checkKey(path)
  options.signal?.throwIfAborted()
  const { ifAbsent, ifMatch, checksum } = options
  const request: KeyedPut = { key, ...(await newObject(path, options, store.settings)), ifAbsent, ifMatch, checksum }
  if (content.bytes === undefined) return writeStream(store, content, request)
  if (content.bytes.byteLength <= store.settings.partSize) return putWhole(store, content.bytes, request)
  return writeLargeBytes(store, content.bytes, request)
}

async function putWhole(store: S3Store, bytes: Uint8Array, request: KeyedPut): Promise<WriteResult> {
  const putting = store.requests.put(request.key, bytes, request)
  const written = await (isConditional(request) ? putting.catch(lost(request)) : putting)
  return { size: bytes.byteLength, ...written }
}

async function writeLargeBytes(store: S3Store, bytes: Uint8Array, request: KeyedPut): Promise<WriteResult> {
  const { settings } = store
  const size = partSizeOf({ partSize: settings.partSize, size: bytes.byteLength, unequal: true })(1)
  return uploading(new Upload(store, request.key, request), async (upload) => {
    for (let number = 1, start = 0; start < bytes.byteLength; number++, start += size) {
      await upload.send(partOf(store, number, bytes.subarray(start, start + size)), settings.partConcurrency)
    }
  })
}

async function writeStream(store: S3Store, content: Content, request: KeyedPut): Promise<WriteResult> {
  const { settings } = store
  const sizeOf = partSizeOf({ partSize: settings.partSize, size: content.size, unequal: settings.features.unequalParts })
  const reader = new PartReader(content.stream())
  try {
    const first = await reader.first(sizeOf(1), content.size, request.signal)
    if (first.byteLength < sizeOf(1) || !(await reader.more(request.signal))) return await putWhole(store, first, request)
    return await uploading(new Upload(store, request.key, request), (upload) => sendParts({ store, upload, reader, sizeOf }, first))
  } finally {
    await reader.release()
  }
}

interface Sending {
  readonly store: S3Store
  readonly upload: Upload
  readonly reader: PartReader
  readonly sizeOf: (number: number) => number
}

/** Buffers are used again as soon as their part has arrived. */
async function sendParts({ store, upload, reader, sizeOf }: Sending, first: Uint8Array): Promise<void> {
  const free: Uint8Array[] = []
  let part = first
  for (let number = 1; part.byteLength > 0; ) {
    const bytes = part
    const send = partOf(store, number, bytes, () => void free.push(new Uint8Array(bytes.buffer)))
    await upload.send(send, concurrencyFor(bytes.byteLength, store.settings))
    if (!(await reader.more(upload.signal))) return
    const size = sizeOf(++number)
    const next = takeOf(free, size) ?? Buffer.allocUnsafeSlow(size)
    part = next.subarray(0, await reader.fill(next, upload.signal))
  }
}

/** A buffer of this size. Others are of no use any more: parts only grow. */
function takeOf(free: Uint8Array[], size: number): Uint8Array | undefined {
  for (let buffer = free.pop(); buffer !== undefined; buffer = free.pop()) if (buffer.byteLength === size) return buffer
  return undefined
}

function partOf({ requests }: S3Store, number: number, bytes: Uint8Array, done?: () => void): SendPart {
  return async (address, signal) => {
    const part = await requests.uploadPart({ ...address, number }, bytes, { signal })
    done?.()
    return part
  }
}

/** Completes what was sent; after a failure leaves nothing of it. */
export async function uploading(upload: Upload, send: (upload: Upload) => Promise<void>): Promise<WriteResult> {
  try {
    await send(upload)
    return await upload.complete()
  } catch (error) {
    const reason: unknown = upload.signal.aborted ? upload.signal.reason : error
    await upload.abandon(reason)
    throw reason
  }
}
