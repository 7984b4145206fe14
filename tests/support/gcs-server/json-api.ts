/**
 * Finds the method of a request, below any of the prefixes that clients use:
 *
 *   /storage/v1/…    /upload/storage/v1/…    /resumable/upload/storage/v1/…    /download/storage/v1/…    /b/… (emulator hosts)
 */
import type { Call, Names, Reply } from './call.ts'
import { GcsError, invalid, notFound, notImplemented } from './errors.ts'
import { selectFields } from './fields.ts'
import { continueResumable } from './resumable.ts'
import { type Route, ROUTES } from './routes.ts'

const PREFIX = /^\/(?:(upload|resumable\/upload|download)\/)?(?:storage\/v1\/)?(?=(?:b|projects)(?:\/|$))/

interface Found {
  readonly route: Route
  readonly names: Names
}

/** Whether a path belongs to the JSON API, and not to the object host. */
export function isJsonPath(path: string): boolean {
  return PREFIX.test(path)
}

/** @throws what the method refuses, and 404 where there is none */
export async function answerJson(call: Call): Promise<Reply> {
  const prefix = PREFIX.exec(call.path)
  const rest = call.path.slice(prefix?.[0].length ?? 0)
  const isUpload = prefix?.[1]?.endsWith('upload') === true
  if (isUpload && call.query.has('upload_id')) return await continueResumable(call)
  const { route, names } = find(call.method, rest)
  if (route.id === 'storage.objects.insert' && !isUpload) {
    throw new GcsError(400, { reason: 'wrongUrlForUpload', message: 'Upload requests must be uploaded to the /upload/ address.' })
  }
  refuse(call, route)
  const reply = await route.handle(call, names)
  const fields = call.query.get('fields')
  return fields === null || reply.json === undefined ? reply : { ...reply, json: selectFields(reply.json, fields) }
}

function find(method: string, path: string): Found {
  const segments = path.split('/')
  const found = ROUTES.filter((route) => route.method === method).flatMap((route): readonly Found[] => {
    const names = match(route.path.split('/'), segments)
    return names === undefined ? [] : [{ route, names }]
  })
  const [first] = found
  if (first === undefined) throw notFound()
  return first
}

function match(pattern: readonly string[], segments: readonly string[]): Names | undefined {
  if (pattern.length !== segments.length) return undefined
  const names: Record<string, string> = {}
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? ''
    if (part.startsWith(':')) names[part.slice(1)] = decode(segment)
    else if (part !== segment) return undefined
  }
  return names
}

/** @throws 400 for percent-encoding that is none */
export function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw invalid('The request is malformed: invalid percent-encoding.')
  }
}

function refuse({ query }: Call, { refused = [], id }: Route): void {
  for (const name of refused) if (query.has(name) && query.get(name) !== 'false') throw notImplemented(`${name} of ${id}`)
}
