/**
 * An HTTP proxy that writes down what a driver asked for. It passes requests on, or answers them as the vendor's documentation says,
 * for what no test server implements.
 *
 *   const proxy = await recordingProxy({ upstream: endpoint })
 *   const aws = await recordingProxy({ answer: ({ method }) => (method === 'PUT' ? { status: 200, headers: { etag: '"1"' } } : undefined) })
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Answer } from './fault-proxy.ts'
import { answerLike, type HttpProxy, listenForHttp, pump, Upstream } from './forwarding.ts'

export interface RecordedRequest {
  readonly method: string
  /** As it was sent: path and query, encoded. */
  readonly url: string
  /** The path alone, still encoded. */
  readonly path: string
  readonly query: URLSearchParams
  /** By lower-case name; repeated ones are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** Of the body, which is complete when the answer has come. */
  readonly size: number
  readonly sha256: string
  /** Its first 64 KiB. */
  readonly body: Buffer
}

export interface RecordingOptions {
  /** Where requests go that are not answered here. */
  readonly upstream?: string | undefined
  /** Answers a request, or lets it pass. Called when its body is complete, if there is no upstream; else when it begins. */
  readonly answer?: ((request: RecordedRequest) => Answer | undefined) | undefined
}

export interface RecordingProxy extends HttpProxy {
  readonly requests: RecordedRequest[]
}

const KEPT_BYTES = 64 * 1024

export async function recordingProxy({ upstream, answer }: RecordingOptions): Promise<RecordingProxy> {
  const requests: RecordedRequest[] = []
  const server = upstream === undefined ? undefined : new Upstream(upstream)
  const proxy = await listenForHttp(async (request, response) => {
    const { record, body } = recorded(request)
    requests.push(record)
    if (server === undefined) for await (const _ of body);
    const scripted = answer?.(record)
    if (scripted === undefined && server !== undefined) {
      const real = await server.send({ request, response }, body)
      answerLike(real, response)
      return pump(real, response)
    }
    if (server !== undefined) for await (const _ of body);
    const { status, headers, body: text } = scripted ?? { status: 501, body: `nobody answers ${record.method} ${record.url}` }
    response.writeHead(status, headers).end(text)
  })
  return {
    endpoint: proxy.endpoint,
    connections: proxy.connections,
    requests,
    close: async () => {
      server?.close()
      await proxy.close()
    },
  }
}

/** The record of a request, which is completed while its body is read. */
function recorded(request: IncomingMessage): { record: RecordedRequest; body: AsyncGenerator<Buffer> } {
  const { method = '', url = '' } = request
  const { search } = new URL(url, 'http://localhost')
  const headers = Object.fromEntries(Object.entries(request.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]))
  const hash = createHash('sha256')
  const [path = ''] = url.split('?')
  const record = { method, url, path, query: new URLSearchParams(search), headers, size: 0, sha256: '', body: Buffer.alloc(0) }
  async function* body(): AsyncGenerator<Buffer> {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk)
      record.size += chunk.length
      if (record.body.length < KEPT_BYTES) record.body = Buffer.concat([record.body, chunk]).subarray(0, KEPT_BYTES)
      yield chunk
    }
    record.sha256 = hash.digest('hex')
  }
  return { record, body: body() }
}
