import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { type Handler, toNodeHandler } from '../../../src/http/index.ts'
import { listen, type Listening } from '../../support/listen.ts'

const open: Listening[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

async function serve(handler: Handler): Promise<Listening> {
  const server = await listen(toNodeHandler(handler))
  open.push(server)
  return server
}

/** What goes over the socket, byte for byte. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(text, 'latin1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

async function begin(server: Listening, options: RequestOptions): Promise<IncomingMessage> {
  const request = httpRequest({ port: server.port, host: '127.0.0.1', agent: false, ...options })
  request.on('error', () => undefined)
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return response
}

/** An endless body that tells what becomes of it. */
function endless(): { stream: ReadableStream<Uint8Array>; cancelled: Promise<unknown>; pulled: () => number } {
  let pulled = 0
  let cancel: (reason: unknown) => void = () => undefined
  const cancelled = new Promise((resolve) => (cancel = resolve))
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        pulled++
        controller.enqueue(new Uint8Array(64 * 1024))
      },
      cancel,
    },
    { highWaterMark: 0 },
  )
  return { stream, cancelled, pulled: () => pulled }
}

describe('the request', () => {
  async function seen(port: number, head: string): Promise<{ url: string; headers: Record<string, string> }> {
    const text = await raw(port, `${head}\r\nConnection: close\r\n\r\n`)
    return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as { url: string; headers: Record<string, string> }
  }
  const echo: Handler = async (request) => {
    const body = JSON.stringify({ url: request.url, headers: Object.fromEntries(request.headers) })
    return new Response(body, { headers: { 'content-length': String(Buffer.byteLength(body)) } })
  }

  it('has the whole URL, as it was sent', async () => {
    const { port } = await serve(echo)
    expect((await seen(port, 'GET /a%20b/%2F?x=1&x=2 HTTP/1.1\r\nHost: files.example:81')).url).toBe(
      'http://files.example:81/a%20b/%2F?x=1&x=2',
    )
    expect((await seen(port, 'GET //evil.example/x HTTP/1.1\r\nHost: a')).url).toBe('http://a//evil.example/x')
    expect((await seen(port, 'GET http://proxied.example/x HTTP/1.1\r\nHost: a')).url).toBe('http://proxied.example/x')
    expect((await seen(port, 'GET /x HTTP/1.1\r\nHost: a/evil?')).url).toBe('http://localhost/x')
    expect((await seen(port, 'GET /x HTTP/1.0')).url).toBe('http://localhost/x')
  })

  it('has all headers, repeated ones joined', async () => {
    const { port } = await serve(echo)
    const { headers } = await seen(port, 'GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nRange: bytes=5-6\r\nX-Y: \xe9')
    expect(headers).toMatchObject({ range: 'bytes=0-1, bytes=5-6', 'x-y': 'Ã©' })
  })

  it('has the path that a framework cut off again', async () => {
    const handler = toNodeHandler(echo)
    const server = await listen((req, res) => {
      Object.assign(req, { originalUrl: req.url, url: '/cut' })
      handler(req, res)
    })
    open.push(server)
    expect(await (await fetch(`${server.origin}/storage/a`)).json()).toMatchObject({ url: `${server.origin}/storage/a` })
  })

  it('that is no request is refused', async () => {
    const { port } = await serve(echo)
    expect(await raw(port, 'TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 405 /)
    expect(await raw(port, 'GET http://me:secret@a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(await raw(port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe('the answer', () => {
  it('to HEAD has the length and no body, and its body is given back', async () => {
    const { stream, cancelled, pulled } = endless()
    const { port } = await serve(async () => new Response(stream, { headers: { 'content-length': '12' } }))
    const text = await raw(port, 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect([/content-length: 12\r\n/i.test(text), text.endsWith('\r\n\r\n')]).toEqual([true, true])
    await cancelled
    expect(pulled()).toBe(0)
  })

  it('of 304 has no body, and the connection goes on', async () => {
    const { port } = await serve(async (request) =>
      request.url.endsWith('/1') ? new Response(null, { status: 304, headers: { etag: '"1"' } }) : new Response('two'),
    )
    const text = await raw(port, 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 304 [^]*?\r\n\r\nHTTP\/1\.1 200 [^]*two/)
  })

  it('keeps cookies apart', async () => {
    const headers = new Headers([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ])
    const { origin } = await serve(async () => new Response('x', { headers }))
    expect((await fetch(origin)).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it('is 500 when the handler fails, or the body before its first byte', async () => {
    const failing = new ReadableStream({ pull: () => Promise.reject(new Error('secret')) })
    for (const handler of [
      () => Promise.reject(new Error('secret')),
      async () => new Response(failing, { headers: { 'content-length': '5', etag: '"1"' } }),
    ]) {
      const { origin } = await serve(handler)
      const response = await fetch(origin)
      expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([500, '', null])
    }
  })

  it('is cut, and never looks whole, when the body fails midway', async () => {
    let pulls = 0
    const { port } = await serve(async () => {
      const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
        if (pulls++ === 0) return controller.enqueue(Buffer.from('begin'))
        await new Promise((resolve) => setImmediate(resolve)) // for what was written to leave
        controller.error(new Error('secret'))
      }
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }))
    })
    const text = await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect([text.includes('begin'), text.includes('\r\n0\r\n'), text.includes('secret')]).toEqual([true, false, false])
  })
})

describe('a client that goes away', () => {
  it('while it downloads cancels the body and aborts the request', async () => {
    const { stream, cancelled } = endless()
    const aborted = Promise.withResolvers<unknown>()
    const server = await serve(async (request) => {
      request.signal.addEventListener('abort', aborted.resolve)
      return new Response(stream)
    })
    const response = await begin(server, {})
    await once(response, 'data')
    response.destroy()
    await Promise.all([cancelled, aborted.promise])
  })

  it('before the answer gives the body back', async () => {
    const { stream, cancelled, pulled } = endless()
    const arrived = Promise.withResolvers<void>()
    const server = await serve(async (request) => {
      arrived.resolve()
      await once(request.signal, 'abort')
      return new Response(stream)
    })
    const request = httpRequest({ port: server.port, host: '127.0.0.1', agent: false }).on('error', () => undefined)
    request.end()
    await arrived.promise
    request.destroy()
    await cancelled
    expect(pulled()).toBe(0)
  })

  it('while it uploads fails the request’s body', async () => {
    const failed = Promise.withResolvers<unknown>()
    const server = await serve(async (request) => {
      await request.arrayBuffer().catch(failed.resolve)
      return new Response('x')
    })
    const request = httpRequest({ port: server.port, host: '127.0.0.1', method: 'PUT', agent: false, headers: { 'content-length': 1_000 } })
    request.on('error', () => undefined)
    request.write('a part', () => request.destroy())
    expect(await failed.promise).toBeDefined()
  })
})

describe('backpressure', () => {
  it('stops reading the body while the client does not read', async () => {
    const { stream, pulled } = endless()
    const server = await serve(async () => new Response(stream))
    const response = await begin(server, {})
    let before = -1
    while (before !== pulled()) {
      before = pulled()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(before).toBeLessThan(1_000) // what sockets buffer, and no more: 64 MB would be 1,000 pulls
    response.destroy()
  })

  it('stops the client while the handler does not read', async () => {
    const done = Promise.withResolvers<void>()
    const server = await serve(async () => {
      await done.promise
      return new Response('x')
    })
    const request = httpRequest({ port: server.port, host: '127.0.0.1', method: 'PUT', agent: false }).on('error', () => undefined)
    let written = 0
    while (written < 1_000 && request.write(new Uint8Array(64 * 1024))) written++
    let before = -1
    while (before !== written) {
      before = written
      await Promise.race([once(request, 'drain').then(() => written++), new Promise((resolve) => setTimeout(resolve, 200))])
      if (before !== written) while (written < 1_000 && request.write(new Uint8Array(64 * 1024))) written++
    }
    expect(written).toBeLessThan(1_000)
    done.resolve()
    request.destroy()
  })

  it('a refused upload reads its answer, and is not read to its end', async () => {
    const server = await serve(async (request) => {
      await request.body?.cancel()
      return new Response('no', { status: 413 })
    })
    const request = httpRequest({ port: server.port, host: '127.0.0.1', method: 'PUT', agent: false }).on('error', () => undefined)
    const closed = new Promise((resolve) => request.on('close', resolve))
    let written = 0
    const write = (): void => {
      while (!request.destroyed && written++ < 4_000 && request.write(new Uint8Array(64 * 1024)));
    }
    request.on('drain', write)
    write()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(413)
    response.resume()
    await closed
    expect(written).toBeLessThan(4_000)
  })
})
