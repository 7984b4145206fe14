/**
 * GET and HEAD of one file: what RFC 9110 says about ranges and conditions, in as few requests to the store as that takes.
 *
 *   HEAD                      stat
 *   GET, a single range       read, with the range: the facts come with the body
 *   conditions, many ranges   stat, then read of that very version; again when it changed in between
 *
 * Without a signature a file is only sent when its own facts, from the same request, say that it is public. A missing one looks
 * like a private one.
 */
import { discard } from '../content.ts'
import { changed } from '../derive.ts'
import type { FileStat, Range, ReadResult } from '../driver.ts'
import { isNotFound, isStorageError, PermissionDeniedError, UnavailableError } from '../errors.ts'
import type { Access } from './access.ts'
import { bodyStream } from './body-stream.ts'
import { isConditional, judge, rangeApplies, validatorsOf } from './conditions.ts'
import { cacheHeaders, fileHeaders, SAFETY } from './file-headers.ts'
import { type Part, parseRanges, selectPart, UNSATISFIABLE } from './ranges.ts'
import { refuse } from './refusal.ts'

const MAX_ATTEMPTS = 3

/** Rejects with the store's errors; `request.signal` and cancelling the body stop the read. */
export async function serveFile(access: Access, request: Request): Promise<Response> {
  try {
    return request.method === 'HEAD' ? await answerHead(access, request) : await answerGet(access, request)
  } catch (error) {
    if (access.grant === undefined && isNotFound(error)) return refuse(403)
    throw error
  }
}

async function answerHead(access: Access, request: Request): Promise<Response> {
  const stat = checkVisible(access, await access.driver.stat(access.path, { signal: request.signal }))
  const early = judged(access, stat, request.headers)
  if (early !== undefined) return early
  const headers = fileHeaders(stat, access.path, access.grant)
  headers.set('content-length', String(stat.size))
  return new Response(null, { headers })
}

async function answerGet(access: Access, request: Request): Promise<Response> {
  const ranges = parseRanges(request.headers.get('range'))
  const [range, another] = ranges ?? []
  const opened =
    isConditional(request.headers) || another !== undefined || range?.suffix === 0 ? undefined : await openAny(access, request, range)
  if (opened !== undefined) return answerOpened(access, opened, selectPart(ranges, opened.stat.size))
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const stat = checkVisible(access, await access.driver.stat(access.path, { signal: request.signal }))
    const early = judged(access, stat, request.headers)
    if (early !== undefined) return early
    const part = rangeApplies(request.headers, validatorsOf(stat)) ? selectPart(ranges, stat.size) : undefined
    if (part === UNSATISFIABLE) return unsatisfiable(stat)
    const same = await openSame(access, request, { stat, part })
    if (same !== undefined) return answerOpened(access, same, part)
  }
  throw new UnavailableError('the file changed each time it was read')
}

/** The answer that conditions call for; undefined when the file is to be sent. */
function judged({ grant }: Access, stat: FileStat, headers: Headers): Response | undefined {
  const verdict = judge(headers, validatorsOf(stat))
  if (verdict === 'failed') return refuse(412)
  return verdict === 'not modified' ? new Response(null, { status: 304, headers: { ...SAFETY, ...cacheHeaders(stat, grant) } }) : undefined
}

/** What a read gave, and how to stop it. */
interface Opened extends ReadResult {
  readonly reading: Pick<AbortController, 'signal' | 'abort'>
}

/** The file as it is; undefined when the store refuses the range, which its size then has to explain. */
async function openAny(access: Access, request: Request, range: Range | undefined): Promise<Opened | undefined> {
  try {
    return await open(access, request, { range })
  } catch (error) {
    if (range !== undefined && isStorageError(error) && error.code === 'invalid_argument') return undefined
    throw error
  }
}

/** The version that was judged; undefined when it is gone. */
async function openSame(
  access: Access,
  request: Request,
  version: { stat: FileStat; part: Part | undefined },
): Promise<Opened | undefined> {
  const { stat, part } = version
  try {
    const opened = await open(access, request, { range: part, ifMatch: access.driver.supports.ifMatch ? stat.etag : undefined })
    if (!changed(stat, opened.stat)) return opened
    await discard(opened.body)
    return undefined
  } catch (error) {
    if (isStorageError(error) && (error.code === 'precondition_failed' || (part !== undefined && error.code === 'invalid_argument')))
      return undefined
    throw error
  }
}

interface Wanted {
  readonly range: Range | undefined
  readonly ifMatch?: string | undefined
}

async function open({ driver, path }: Access, request: Request, wanted: Wanted): Promise<Opened> {
  const controller = new AbortController()
  const signal = AbortSignal.any([request.signal, controller.signal])
  const result = await driver.read(path, { ...wanted, signal })
  return { ...result, reading: { signal, abort: () => controller.abort() } }
}

async function answerOpened(
  access: Access,
  { stat, body, reading }: Opened,
  part: Part | typeof UNSATISFIABLE | undefined,
): Promise<Response> {
  const visible = isVisible(access, stat)
  const length = part === undefined ? stat.size : part === UNSATISFIABLE ? 0 : part.end - part.start
  if (!visible || length === 0) await discard(body)
  if (!visible) return refuse(403)
  if (part === UNSATISFIABLE) return unsatisfiable(stat)
  const headers = fileHeaders(stat, access.path, access.grant)
  headers.set('content-length', String(length))
  if (part !== undefined) headers.set('content-range', `bytes ${part.start}-${part.end - 1}/${stat.size}`)
  return new Response(length === 0 ? null : bodyStream(body, length, reading), { status: part === undefined ? 200 : 206, headers })
}

function unsatisfiable(stat: FileStat): Response {
  return refuse(416, { 'content-range': `bytes */${stat.size}`, 'accept-ranges': 'bytes' })
}

function isVisible({ grant }: Access, stat: FileStat): boolean {
  return grant !== undefined || stat.visibility === 'public'
}

/** @throws PermissionDeniedError for a private file without a signature */
function checkVisible(access: Access, stat: FileStat): FileStat {
  if (!isVisible(access, stat)) throw new PermissionDeniedError()
  return stat
}
