/**
 * `createHandler(storage)`: the HTTP server of signed and public URLs, as a function from Request to Response.
 *
 *   405 ← method?   403 ← may it? (access.ts)   → GET, HEAD (serve-file.ts)  → PUT (receive-upload.ts)
 *
 * It never rejects, and no answer carries the text of an error. It needs no framework; `toNodeHandler` mounts it on node:http.
 */
import { findAccess, type Method, type ServableStorage } from './access.ts'
import { receiveUpload } from './receive-upload.ts'
import { refuse, statusOf } from './refusal.ts'
import { serveFile } from './serve-file.ts'

export type Handler = (request: Request) => Promise<Response>

export interface HandlerOptions {
  /** Told of failures that are not the client's: those that are answered with 500 or more. For logs. */
  readonly onError?: ((error: unknown, request: Request) => void) | undefined
}

/** Mount it where the disks' `url` says: it sees the whole path, the base included. */
export function createHandler(storage: ServableStorage, { onError }: HandlerOptions = {}): Handler {
  let configured = false
  const ready = async (): Promise<void> => {
    // Once, so that a storage that was closed stays closed.
    if (!configured && storage.names.length === 0) await storage.load?.()
    configured = true
  }
  return async (request) => {
    const response = await answer(storage, request, ready).catch((error: unknown) => {
      const status = statusOf(error)
      if (status >= 500 && !request.signal.aborted) onError?.(error, request)
      return refuse(status)
    })
    return request.method === 'HEAD' && response.body !== null ? new Response(null, response) : response
  }
}

async function answer(storage: ServableStorage, request: Request, ready: () => Promise<void>): Promise<Response> {
  if (!isMethod(request.method)) return refuse(405, { allow: 'GET, HEAD, PUT' })
  await ready()
  const access = await findAccess(storage, request.method, new URL(request.url))
  if (access === undefined) return refuse(403)
  if (request.method !== 'PUT') return serveFile(access, request)
  return access.grant === undefined ? refuse(403) : receiveUpload(access, access.grant, request)
}

function isMethod(method: string): method is Method {
  return method === 'GET' || method === 'HEAD' || method === 'PUT'
}
