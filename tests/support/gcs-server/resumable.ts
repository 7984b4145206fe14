/**
 * Resumable uploads (Cloud Storage, "Resumable uploads"). The session's address is all that is needed to go on with it.
 *
 *   PUT  bytes 0-524287/*        308, Range: bytes=0-524287     kept in whole blocks of 256 KiB
 *   PUT  bytes * /*              308, Range: bytes=0-…          how far it is; no Range when nothing is kept
 *   PUT  bytes 524288-600000/600001, or no Content-Range        200 and the object
 *   PUT  bytes 0-*\/*             ends with the body             what the Node.js client sends for unknown lengths
 *   DELETE                       499
 *
 * A request that breaks off keeps its whole blocks and ends nothing. Preconditions are checked again when the last byte is there.
 */
import { BLOCK, type Body } from './body-store.ts'
import { type Call, fits, newId, ok, type Reply, type Upload, type UploadSession } from './call.ts'
import { badUpload, notFound } from './errors.ts'
import { commitObject, hashesOf, shown } from './objects.ts'

const MAX_SESSIONS = 200
const SESSION_MS = 7 * 24 * 3600 * 1000

export function beginResumable(call: Call, upload: Upload, isXml = false): UploadSession {
  const length = call.headers['x-upload-content-length']
  const session: UploadSession = {
    id: newId(),
    started: call.state.now(),
    declared: upload,
    announcedSize: typeof length === 'string' && /^\d+$/.test(length) ? Number(length) : undefined,
    writer: call.state.bodies.writer(),
    busy: Promise.resolve(),
    state: 'open',
    result: undefined,
    failure: undefined,
    isXml,
  }
  forgetOldest(call.state.sessions)
  call.state.sessions.set(session.id, session)
  return session
}

/** Those that are over can be asked about for a while. */
function forgetOldest(sessions: Map<string, UploadSession>): void {
  if (sessions.size < MAX_SESSIONS) return
  const over = [...sessions.values()].filter(({ state }) => state !== 'open')
  for (const { id } of over.slice(0, MAX_SESSIONS / 2)) sessions.delete(id)
}

export async function continueResumable(call: Call): Promise<Reply> {
  const session = call.state.sessions.get(call.query.get('upload_id') ?? '')
  if (session === undefined) throw notFound()
  if (session.started + SESSION_MS < call.state.now()) throw badUpload('The upload session has expired.', 410)
  if (call.method === 'DELETE') return await cancel(session)
  if (session.state === 'cancelled') throw badUpload('Upload was cancelled.', 499)
  const range = contentRange(call)
  if (session.state === 'open' && range.start === undefined && range.total === undefined) return progress(call, session)
  // Requests for one session take turns.
  const before = session.busy
  let done = (): void => {}
  session.busy = new Promise((resolve) => {
    done = resolve
  })
  try {
    await before
    return await advance(call, session, range)
  } finally {
    done()
  }
}

async function cancel(session: UploadSession): Promise<Reply> {
  if (session.state !== 'done') {
    session.state = 'cancelled'
    await session.writer.discard()
  }
  return { status: 499, headers: { 'content-length': 0 } }
}

interface ContentRange {
  /** Undefined for `*`: no bytes are sent. */
  readonly start: number | undefined
  /** The last byte; undefined when the body's end tells. */
  readonly last: number | undefined
  readonly total: number | undefined
}

function contentRange({ headers }: Call): ContentRange {
  const header = headers['content-range']
  if (header === undefined) return { start: 0, last: undefined, total: undefined }
  const parts = /^bytes (?:\*|(\d+)-(\d+|\*))\/(\d+|\*|undefined)$/.exec(header.trim())
  if (parts === null) throw badUpload(`Invalid request.  Failed to parse Content-Range header: ${header}`)
  const number = (text: string | undefined): number | undefined => (text === undefined || !/^\d+$/.test(text) ? undefined : Number(text))
  return { start: number(parts[1]), last: number(parts[2]), total: number(parts[3]) }
}

async function advance(call: Call, session: UploadSession, range: ContentRange): Promise<Reply> {
  if (session.state === 'done') return finished(call, session)
  const { writer } = session
  const start = range.start ?? writer.kept
  if (start > writer.kept) {
    throw badUpload(
      `Invalid request.  According to the Content-Range header, the upload offset is ${start} byte(s), which exceeds already uploaded size of ${writer.kept} byte(s).`,
    )
  }
  try {
    const length = await receive(call, session, start)
    if (range.last !== undefined && length !== range.last - start + 1)
      throw badUpload('Invalid request.  The body is not as long as its Content-Range says.')
  } catch (error) {
    writer.dropTail()
    throw error
  }
  if (!isLast(range, writer.size)) return partial(call, session, start)
  return await finish(call, session)
}

/** Appends what is new; bytes that were kept already are skipped. @returns how many came */
async function receive({ req }: Call, { writer, announcedSize }: UploadSession, start: number): Promise<number> {
  let offset = start
  for await (const chunk of req as AsyncIterable<Buffer>) {
    const known = Math.min(Math.max(writer.size - offset, 0), chunk.length)
    offset += chunk.length
    if (announcedSize !== undefined && offset > announcedSize)
      throw badUpload(`Invalid request.  More bytes came than the announced ${announcedSize}.`)
    if (known < chunk.length) await writer.append(chunk.subarray(known))
  }
  return offset - start
}

function isLast({ start, last, total }: ContentRange, size: number): boolean {
  if (total !== undefined) return size >= total
  return start !== undefined && last === undefined
}

function partial(call: Call, session: UploadSession, start: number): Reply {
  const { writer } = session
  const received = writer.size - start
  if (received > 0 && received < BLOCK) {
    writer.dropTail()
    throw badUpload(
      `Invalid request.  The number of bytes uploaded is required to be equal or greater than ${BLOCK}, except for the final request (it's recommended to be the exact multiple of ${BLOCK}).  The received request contained ${received} bytes, which does not meet this requirement.`,
    )
  }
  writer.dropTail()
  return progress(call, session)
}

/** 308; for clients whose HTTP library takes that for a redirect, and who say so, 200 with a header. */
function progress({ headers }: Call, { writer }: UploadSession): Reply {
  const range = writer.kept === 0 ? {} : { range: `bytes=0-${writer.kept - 1}` }
  if (headers['x-guploader-no-308'] !== 'yes') return { status: 308, headers: { ...range, 'content-length': 0 } }
  return { status: 200, headers: { ...range, 'x-http-status-code-override': '308', 'content-length': 0 } }
}

/** Stores the object, or remembers why not. */
async function finish(call: Call, session: UploadSession): Promise<Reply> {
  const { declared, announcedSize, writer } = session
  session.state = 'done'
  const body: Body = await writer.finish()
  try {
    if (!fits(body, announcedSize)) throw badUpload(`Invalid request.  ${body.size} bytes came, of the announced ${announcedSize}.`)
    session.result = commitObject(call.state, { ...declared, metadata: { ...declared.metadata, ...hashesOf(call) } }, body)
  } catch (error) {
    session.failure = error
    await body.hold().letGo()
  }
  return finished(call, session)
}

/** @throws what the upload failed with */
function finished(call: Call, { result, failure, declared, isXml }: UploadSession): Reply {
  if (result === undefined) throw failure
  if (isXml) return { status: 200, headers: { 'content-length': 0, 'x-goog-generation': String(result.generation) } }
  return ok(shown({ ...call, query: declared.query }, result))
}
