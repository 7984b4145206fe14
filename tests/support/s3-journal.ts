/**
 * An S3 store in memory that judges conditions and writes down what it carries out, over real sockets; and does to requests what it is
 * told to: so that what a client was told can be held against what was done.
 *
 *   request ─▶ reset | refused | stalled before it is carried out
 *           ─▶ carried out, and written down ─▶ answered | reset | stalled, before the answer or in its middle
 *
 * Signatures are not verified; the hash of the body that they cover is. Keys and metadata are plain ASCII.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { countConnections, listenAnywhere } from './forwarding.ts'

/** What is done to one request. */
export type Misfortune =
  | 'reset before it is read'
  | 'reset while it is read'
  | 'reset after it was done'
  | 'reset in the answer'
  | 'refused'
  | 'answered by a gateway after it was done'
  | 'stalled unread'
  | 'stalled after it was done'
  | 'stalled in the answer'

export interface Arrival {
  readonly verb: string
  readonly key: string
  /** Of the metadata `op`, of the request or of the upload that it is about. */
  readonly op: string | undefined
  readonly misfortune: Misfortune | undefined
  /** The client waits for leave to send the body. */
  readonly waits: boolean
  readonly done: boolean
}

/** A file that was made, or was there no more. */
export interface Carried {
  readonly key: string
  readonly op: string | undefined
  /** The last of the content, up to 64 bytes; undefined: deleted. */
  readonly tail: string | undefined
  readonly sha256: string | undefined
  readonly etag: string | undefined
}

interface Stored {
  readonly bytes: Buffer
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
}

interface Upload {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>
  /** The client may not know of it. */
  isUnknown: boolean
  /** What became of the last request to abort it. */
  aborted: 'never asked' | Misfortune | undefined
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

interface Command {
  readonly verb: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface JournalOptions {
  /** Asked for each request. */
  readonly misfortune: (arrival: Pick<Arrival, 'verb' | 'key'>) => Misfortune | undefined
  /** A number from 0 to 1, for what kind of refusal it is. */
  readonly random: () => number
}

export class JournalServer {
  /** What was carried out, in its order. */
  readonly journal: Carried[] = []
  readonly arrivals: Arrival[] = []
  readonly uploads: Map<string, Upload> = new Map()
  readonly #objects = new Map<string, Stored>()
  readonly #options: JournalOptions
  readonly #server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 })
  readonly connections: ReturnType<typeof countConnections> = countConnections(this.#server)
  #endpoint = ''
  #ids = 0
  #underWay = 0

  private constructor(options: JournalOptions) {
    this.#options = options
    const listener = (waits: boolean) => (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request
      this.#underWay++
      void this.#serve(request, response, waits)
        .catch(() => socket.destroy())
        .finally(() => this.#underWay--)
    }
    this.#server.on('request', listener(false)).on('checkContinue', listener(true))
  }

  static async start(options: JournalOptions): Promise<JournalServer> {
    const journal = new JournalServer(options)
    journal.#endpoint = `http://127.0.0.1:${await listenAnywhere(journal.#server)}`
    return journal
  }

  get endpoint(): string {
    return this.#endpoint
  }

  /** When nothing is under way any more, not even what a client has given up that was on its way. */
  async settled(): Promise<void> {
    do await sleep(100)
    while (this.#underWay > 0)
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()].sort()
  }

  async close(): Promise<void> {
    this.connections.destroyAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse, waits: boolean): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://localhost')
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
    const verb = verbOf(request, key, query)
    const misfortune = this.#options.misfortune({ verb, key })
    const upload = this.uploads.get(query.get('uploadId') ?? '')
    const op = header(request, 'x-amz-meta-op') ?? upload?.headers['x-amz-meta-op']
    const arrived: { -readonly [Name in keyof Arrival]: Arrival[Name] } = { verb, key, op, misfortune, waits, done: false }
    this.arrivals.push(arrived)
    if (verb === 'AbortMultipartUpload' && upload !== undefined) upload.aborted = misfortune
    if (misfortune === 'reset before it is read') return reset(request)
    if (misfortune === 'stalled unread') return closed(request)
    const early = misfortune === 'refused' && this.#options.random() < 0.5
    if (early) return this.#refuse(request, response)
    if (waits) response.writeContinue()
    const body = await this.#read(request, misfortune === 'reset while it is read')
    if (body === undefined) return
    if (misfortune === 'refused') return this.#refuse(request, response)
    if (request.socket.destroyed) return
    const answer = this.#carryOut({ verb, key, query, headers: request.headers, body })
    arrived.done = answer.status < 300
    if (verb === 'CreateMultipartUpload' && misfortune !== undefined) (this.uploads.get(`upload-${this.#ids}`) as Upload).isUnknown = true
    await answered(request, response, { answer, misfortune })
  }

  /** Undefined: it was reset in the middle. */
  async #read(request: IncomingMessage, isReset: boolean): Promise<Buffer | undefined> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      if (isReset) break
    }
    if (!isReset) return Buffer.concat(chunks)
    await reset(request)
    return undefined
  }

  #refuse(request: IncomingMessage, response: ServerResponse): void {
    const { random } = this.#options
    const retryAfter = ['0', '1', new Date(Date.now() - 1_000).toUTCString()][Math.floor(random() * 9)]
    const headers = { 'content-type': 'application/xml', ...(retryAfter !== undefined && { 'retry-after': retryAfter }) }
    const body = random() < 0.8 ? errorBody(random() < 0.5 ? 'SlowDown' : 'ServiceUnavailable') : ''
    response.writeHead(503, headers).end(request.method === 'HEAD' ? undefined : body)
    request.resume()
  }

  #carryOut(command: Command): Answer {
    const signed = header(command, 'x-amz-content-sha256') ?? ''
    if (/^[\da-f]{64}$/.test(signed) && signed !== sha256(command.body)) return failure(400, 'XAmzContentSHA256Mismatch')
    const { verb, key } = command
    switch (verb) {
      case 'HeadBucket':
        return { status: 200 }
      case 'ListObjectsV2':
        return { status: 200, body: listing(this.keys(), command.query) }
      case 'DeleteObjects':
        for (const [, name = ''] of command.body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) this.#remove(name)
        return { status: 200, body: '<DeleteResult></DeleteResult>' }
      case 'DeleteObject':
        this.#remove(key)
        return { status: 204 }
      case 'GetObject':
      case 'HeadObject':
        return this.#get(command)
      case 'PutObject':
        return this.#lost(command) ?? this.#put(key, command.body, kept(command.headers))
      case 'CopyObject':
        return this.#copy(command)
      default:
        return this.#multipart(command)
    }
  }

  #put(key: string, bytes: Buffer, headers: Stored['headers'], etag = `"${md5(bytes)}"`): Answer {
    this.#objects.set(key, { bytes, etag, headers })
    const tail = bytes.toString('latin1', Math.max(0, bytes.byteLength - 64))
    this.journal.push({ key, op: headers['x-amz-meta-op'], tail, sha256: sha256(bytes), etag })
    return { status: 200, headers: { etag } }
  }

  #remove(key: string): void {
    if (this.#objects.delete(key)) this.journal.push({ key, op: undefined, tail: undefined, sha256: undefined, etag: undefined })
  }

  /** The answer to a write whose condition does not hold. */
  #lost({ key, headers }: Command): Answer | undefined {
    const there = this.#objects.get(key)
    if (headers['if-none-match'] === '*' && there !== undefined) return failure(412, 'PreconditionFailed')
    const wanted = headers['if-match']
    if (wanted === undefined) return undefined
    if (there === undefined) return failure(404, 'NoSuchKey')
    return isEtag(wanted, there.etag) ? undefined : failure(412, 'PreconditionFailed')
  }

  #get({ verb, key, headers }: Command): Answer {
    const there = this.#objects.get(key)
    if (there === undefined) return verb === 'HeadObject' ? { status: 404 } : failure(404, 'NoSuchKey')
    if (headers['if-match'] !== undefined && !isEtag(headers['if-match'], there.etag)) return failure(412, 'PreconditionFailed')
    const size = there.bytes.byteLength
    const facts = { ...there.headers, etag: there.etag, 'last-modified': new Date(0).toUTCString(), 'accept-ranges': 'bytes' }
    if (verb === 'HeadObject') return { status: 200, headers: { ...facts, 'content-length': String(size) } }
    const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? []
    if (first === '' && last === '') return { status: 200, headers: facts, body: there.bytes }
    const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
    const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
    if (start >= size) return failure(416, 'InvalidRange')
    const range = { 'content-range': `bytes ${start}-${end - 1}/${size}` }
    return { status: 206, headers: { ...facts, ...range }, body: there.bytes.subarray(start, end) }
  }

  /** Conditions of the target are ignored, as stores but Amazon do. */
  #copy({ key, headers }: Command): Answer {
    const from = decodeURIComponent(String(headers['x-amz-copy-source'])).split('/').slice(1).join('/')
    const source = this.#objects.get(from)
    if (source === undefined) return failure(404, 'NoSuchKey')
    const wanted = headers['x-amz-copy-source-if-match']
    if (wanted !== undefined && !isEtag(String(wanted), source.etag)) return failure(412, 'PreconditionFailed')
    this.#put(key, source.bytes, headers['x-amz-metadata-directive'] === 'REPLACE' ? kept(headers) : source.headers)
    return { status: 200, body: `<CopyObjectResult><ETag>${source.etag}</ETag></CopyObjectResult>` }
  }

  #multipart(command: Command): Answer {
    const { verb, key, query, body, headers } = command
    if (verb === 'CreateMultipartUpload') {
      const id = `upload-${++this.#ids}`
      this.uploads.set(id, { key, headers: kept(headers), parts: new Map(), isUnknown: false, aborted: 'never asked' })
      return { status: 200, body: `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>` }
    }
    const id = query.get('uploadId') ?? ''
    const upload = this.uploads.get(id)
    if (upload === undefined) return failure(404, 'NoSuchUpload')
    if (verb === 'UploadPart') {
      const etag = `"${md5(body)}"`
      upload.parts.set(Number(query.get('partNumber')), { bytes: body, etag })
      return { status: 200, headers: { etag } }
    }
    if (verb === 'AbortMultipartUpload') {
      this.uploads.delete(id)
      return { status: 204 }
    }
    if (verb === 'ListParts') return { status: 200, body: partsOf(upload) }
    return this.#lost(command) ?? this.#complete(id, upload, body)
  }

  #complete(id: string, { key, parts, headers }: Upload, body: Buffer): Answer {
    const numbers = Array.from(body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g), ([, number]) => Number(number))
    const wanted = numbers.map((number) => parts.get(number))
    const listed = wanted.filter((part) => part !== undefined)
    if (listed.length === 0 || listed.length < wanted.length) return failure(400, 'InvalidPart')
    const digests = Buffer.from(listed.map(({ etag }) => etag.slice(1, -1)).join(''), 'hex')
    const etag = `"${md5(digests)}-${listed.length}"`
    this.uploads.delete(id)
    this.#put(key, Buffer.concat(listed.map(({ bytes }) => bytes)), headers, etag)
    return { status: 200, body: `<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>` }
  }
}

function verbOf({ method, headers }: IncomingMessage, key: string, query: URLSearchParams): string {
  if (key === '') return method === 'POST' ? 'DeleteObjects' : method === 'HEAD' ? 'HeadBucket' : 'ListObjectsV2'
  if (query.has('uploads')) return 'CreateMultipartUpload'
  if (query.has('uploadId')) {
    const verbs: Readonly<Record<string, string>> = {
      PUT: 'UploadPart',
      POST: 'CompleteMultipartUpload',
      DELETE: 'AbortMultipartUpload',
      GET: 'ListParts',
    }
    return verbs[method ?? ''] ?? 'unknown'
  }
  if (method === 'PUT') return 'x-amz-copy-source' in headers ? 'CopyObject' : 'PutObject'
  return method === 'DELETE' ? 'DeleteObject' : method === 'HEAD' ? 'HeadObject' : 'GetObject'
}

/** Answers, unless the client is to hear nothing, or half of it. */
async function answered(
  request: IncomingMessage,
  response: ServerResponse,
  { answer: { status, headers = {}, body = '' }, misfortune }: { readonly answer: Answer; readonly misfortune: Misfortune | undefined },
): Promise<void> {
  if (misfortune === 'reset after it was done') return reset(request)
  if (misfortune === 'stalled after it was done') return closed(request)
  if (misfortune === 'answered by a gateway after it was done') {
    response.writeHead(502, { 'content-type': 'text/html' }).end(request.method === 'HEAD' ? undefined : '<html>Bad Gateway</html>')
    return
  }
  const bytes = Buffer.from(body as string)
  const isHead = request.method === 'HEAD'
  const length = isHead || status === 204 ? {} : { 'content-length': String(bytes.byteLength) }
  if (misfortune === undefined) {
    response.writeHead(status, { ...headers, ...length }).end(isHead ? undefined : bytes)
    return
  }
  const half = Math.floor(bytes.byteLength / 2)
  if (half === 0 || isHead) request.socket.write(`HTTP/1.1 ${status} OK\r\nServer: half`)
  else response.writeHead(status, { ...headers, ...length }).write(bytes.subarray(0, half))
  if (misfortune === 'stalled in the answer') return closed(request)
  await sleep(5) // A reset throws away what is still in the buffers of the socket.
  await reset(request)
}

async function reset({ socket }: IncomingMessage): Promise<void> {
  socket.resetAndDestroy()
}

/** When the client has given up. */
async function closed(request: IncomingMessage): Promise<void> {
  request.resume()
  if (!request.socket.destroyed) await new Promise((resolve) => request.socket.once('close', resolve))
}

function kept(headers: IncomingMessage['headers']): Stored['headers'] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      name === 'content-type' || name.startsWith('x-amz-meta-') ? [[name, String(value)] as const] : [],
    ),
  )
}

function header({ headers }: Pick<IncomingMessage, 'headers'>, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function isEtag(wanted: string, etag: string): boolean {
  return wanted.replaceAll('"', '') === etag.slice(1, -1)
}

function failure(status: number, code: string): Answer {
  return { status, headers: { 'content-type': 'application/xml' }, body: errorBody(code) }
}

function errorBody(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`
}

function partsOf({ parts }: Upload): string {
  const each = Array.from(
    parts,
    ([number, { etag, bytes }]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag><Size>${bytes.byteLength}</Size></Part>`,
  )
  return `<ListPartsResult>${each.join('')}<IsTruncated>false</IsTruncated></ListPartsResult>`
}

function listing(keys: readonly string[], query: URLSearchParams): string {
  const [prefix, after, limit] = [query.get('prefix') ?? '', query.get('start-after') ?? '', Number(query.get('max-keys') ?? 1_000)]
  const found: string[] = []
  const prefixes = new Set<string>()
  let truncated = false
  for (const key of keys) {
    const cut = query.has('delimiter') ? key.indexOf('/', prefix.length) : -1
    const shared = key.slice(0, cut + 1)
    if (!key.startsWith(prefix) || key <= after || (shared !== '' && (prefixes.has(shared) || shared <= after))) continue
    truncated = found.length + prefixes.size === limit
    if (truncated) break
    if (shared === '') found.push(`<Contents><Key>${key}</Key><Size>1</Size></Contents>`)
    else prefixes.add(shared)
  }
  const shared = Array.from(prefixes, (name) => `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`)
  return `<ListBucketResult><Name>b</Name><IsTruncated>${truncated}</IsTruncated>${found.join('')}${shared.join('')}</ListBucketResult>`
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
