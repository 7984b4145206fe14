/**
 * Requests that go wrong because a test wants them to: an answer of the test's choosing in Google's form, or trouble on the wire.
 *
 *   status          answered so, and nothing happens
 *   reset           the connection breaks before the request is looked at
 *   reset-upload    … after that many bytes of its body
 *   reset-after     the request is carried out, and its answer is lost
 *   truncate        the answer breaks off after that many bytes
 *   corrupt         one byte of the answer's body is another one
 *   stall           no answer until the caller goes away
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault, State } from './call.ts'
import { GcsError } from './errors.ts'

const FORMS: Readonly<Record<number, { readonly reason: string; readonly domain: string; readonly message: string }>> = {
  403: { reason: 'forbidden', domain: 'global', message: 'Forbidden' },
  408: { reason: 'requestTimeout', domain: 'global', message: 'Request timed out.' },
  429: {
    reason: 'rateLimitExceeded',
    domain: 'usageLimits',
    message:
      'The object exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.',
  },
  500: { reason: 'backendError', domain: 'global', message: 'Backend Error' },
  502: { reason: 'badGateway', domain: 'global', message: 'Bad Gateway' },
  503: { reason: 'backendError', domain: 'global', message: 'We encountered an internal error. Please try again.' },
  504: { reason: 'gatewayTimeout', domain: 'global', message: 'Gateway Timeout' },
}

/** The first rule that this request is to suffer from; it is used up by that. */
export function takeFault({ faults }: State, method: string, url: string): Fault | undefined {
  for (const fault of faults) {
    if (fault.method !== undefined && fault.method !== method) continue
    if (fault.url !== undefined && !new RegExp(fault.url).test(url)) continue
    if (fault.skip > 0) {
      fault.skip--
      continue
    }
    if (fault.times <= 0) continue
    fault.times--
    return fault
  }
  return undefined
}

export function faultError({ status = 503, reason, message, headers = {} }: Fault): GcsError {
  const form = FORMS[status] ?? { reason: 'backendError', domain: 'global', message: 'Backend Error' }
  return new GcsError(status, {
    ...form,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    headers,
  })
}

/** Makes a request break off after some bytes of its body. */
export function breakUpload(req: IncomingMessage, afterBytes: number): void {
  const chunks = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  req[Symbol.asyncIterator] = async function* (): AsyncGenerator<Buffer, undefined> {
    let left = afterBytes
    for await (const chunk of chunks) {
      if (chunk.length <= left) {
        left -= chunk.length
        yield chunk
        continue
      }
      yield chunk.subarray(0, left)
      req.socket.destroy()
      throw new Error('reset by a fault')
    }
    return undefined
  }
}

/** The body of an answer, as the fault has it. `truncate` ends the connection itself. */
export async function* spoiled(stream: AsyncIterable<Uint8Array>, fault: Fault, res: ServerResponse): AsyncGenerator<Uint8Array> {
  let left = fault.afterBytes ?? 0
  for await (const chunk of stream) {
    if (left >= chunk.length || left < 0) {
      left -= chunk.length
      yield chunk
      continue
    }
    if (fault.wire === 'truncate') {
      yield chunk.subarray(0, left)
      await new Promise((resolve) => setTimeout(resolve, 20)) // What was written leaves first.
      res.destroy()
      return
    }
    const copy = Buffer.from(chunk)
    copy[left] = (copy[left] ?? 0) ^ 0xff
    left = -1
    yield copy
  }
}
