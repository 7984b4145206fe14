/** One request to a provider's API. What comes back of a failure has neither headers nor keys in it. */
import { isStorageError, type StorageError, TimeoutError, UnavailableError } from '../../errors.ts'
import { statusError } from './purger.ts'

export interface ApiCall {
  readonly provider: string
  readonly method: 'POST' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: object | undefined
  readonly signal: AbortSignal
}

const MAX_ANSWER_BYTES = 64 * 1024

/** @returns the beginning of the answer @throws StorageError unless it is a success */
export async function callApi({ provider, method, url, headers, body, signal }: ApiCall): Promise<string> {
  const json = body === undefined ? {} : { 'Content-Type': 'application/json' }
  try {
    const response = await fetch(url, {
      method,
      headers: { Accept: 'application/json', ...json, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual', // Keys go to nobody else.
      signal,
    })
    const answer = await readAnswer(response)
    if (!response.ok) throw statusError(provider, response.status, response.headers.get('retry-after'))
    return answer
  } catch (error) {
    throw isStorageError(error) ? error : noAnswer(provider, error, signal)
  }
}

/** To its end, so that the connection can be used again. */
async function readAnswer({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    if (length < MAX_ANSWER_BYTES) chunks.push(chunk)
    length += chunk.byteLength
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Nobody knows whether the provider has purged. */
export function noAnswer(provider: string, error: unknown, signal: AbortSignal): StorageError {
  if (signal.aborted) return new TimeoutError(`${provider} did not answer a purge in time`)
  const cause = new Error(codeOf(error))
  return new UnavailableError(`${provider} could not be asked for a purge (${cause.message})`, { cause })
}

/** What Node calls it: ECONNREFUSED. */
function codeOf(error: unknown): string {
  for (let current = error; typeof current === 'object' && current !== null; current = 'cause' in current ? current.cause : undefined) {
    if ('code' in current && typeof current.code === 'string') return current.code
  }
  return 'no connection'
}

/** The provider's origin, or what replaces it. */
export function apiBase(apiUrl: string | undefined, origin: string): string {
  return (apiUrl ?? origin).replace(/\/+$/, '')
}
