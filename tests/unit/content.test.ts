import { describe, expect, it } from '@jest/globals'
import { getEventListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import {
  abandon,
  asBuffer,
  bytesBody,
  bytesContent,
  CHUNK_BYTES,
  collect,
  contentBytes,
  type Contents,
  discard,
  streamContent,
  toContent,
  toReadable,
  withChecksum,
  withProgress,
} from '../../src/content.ts'
import type { Body, Content } from '../../src/driver.ts'
import { InvalidArgumentError } from '../../src/errors.ts'
import { Disk } from '../../src/disk.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'

async function read(content: Content): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content.stream()) {
    expect(ArrayBuffer.isView(chunk)).toBe(true)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function* yields<T>(...chunks: T[]): AsyncGenerator<T> {
  for (const chunk of chunks) yield chunk
}

function shared(text: string): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(text.length)
  Buffer.from(buffer).write(text)
  return buffer
}

const HELLO = Buffer.from('__hello__')

/** Each way to say "hello", fresh for each test. */
const KINDS: readonly (readonly [string, () => Contents, number | undefined, boolean])[] = [
  ['a string', () => 'hello', 5, true],
  ['a Buffer', () => Buffer.from('hello'), 5, true],
  ['a Uint8Array', () => new Uint8Array(Buffer.from('hello')), 5, true],
  ['a view into a larger buffer', () => HELLO.subarray(2, 7), 5, true],
  ['a DataView', () => new DataView(HELLO.buffer, HELLO.byteOffset + 2, 5), 5, true],
  ['an Int8Array', () => new Int8Array(Buffer.from('hello')), 5, true],
  ['an ArrayBuffer', () => new Uint8Array(Buffer.from('hello')).buffer, 5, true],
  ['a SharedArrayBuffer', () => shared('hello'), 5, true],
  ['a Uint8Array of another realm', () => runInNewContext('Uint8Array.of(104, 101, 108, 108, 111)') as Uint8Array, 5, true],
  ['an ArrayBuffer of another realm', () => runInNewContext('Uint8Array.of(104, 101, 108, 108, 111).buffer') as ArrayBuffer, 5, true],
  ['a Blob', () => new Blob(['hel', 'lo']), 5, true],
  ['a File', () => new File(['hello'], 'a.txt'), 5, true],
  ['a Node stream of bytes', () => Readable.from([Buffer.from('hel'), Buffer.from('lo')]), undefined, false],
  ['a Node stream in object mode of strings', () => Readable.from(['hel', 'lo'], { objectMode: true }), undefined, false],
  ['a Node stream of mixed chunks', () => Readable.from(['hel', new Uint8Array(Buffer.from('lo'))]), undefined, false],
  [
    'a Node stream with an encoding',
    () => Readable.from([Buffer.from('hello')], { objectMode: false }).setEncoding('utf8'),
    undefined,
    false,
  ],
  ['a Duplex', () => Duplex.from(yields('hel', 'lo')), undefined, false],
  ['a PassThrough', () => new PassThrough().end('hello'), undefined, false],
  ['a web stream', () => new Blob(['hello']).stream(), undefined, false],
  ['a web stream of strings', () => ReadableStream.from(['hel', 'lo']), undefined, false],
  ['the body of a Response', () => new Response('hello').body as ReadableStream, undefined, false],
  ['an array', () => ['hel', Buffer.from('lo')], undefined, true],
  ['a Set', () => new Set(['hel', 'lo']), undefined, false],
  [
    'a generator',
    () =>
      (function* () {
        yield* ['hel', 'lo']
      })(),
    undefined,
    false,
  ],
  ['an async generator', () => yields<string | ArrayBuffer>('hel', new Uint8Array(Buffer.from('lo')).buffer), undefined, false],
]

describe('everything that can be written', () => {
  it.each(KINDS)('%s', async (_, make, size, replayable) => {
    const content = toContent(make())
    expect(content.size).toBe(size)
    expect(content.replayable).toBe(replayable)
    expect(await read(content)).toBe('hello')
    if (replayable) expect(await read(content)).toBe('hello')
    else expect(() => content.stream()).toThrow(InvalidArgumentError)
  })

  it.each(KINDS)('%s, through a disk', async (_, make) => {
    const disk = new Disk(new MemoryDriver())
    expect(await disk.put('a', make())).toMatchObject({ path: 'a', size: 5 })
    expect(await disk.text('a')).toBe('hello')
  })

  it('takes a string as one chunk of UTF-8, never iterated', async () => {
    const chunks: Uint8Array[] = []
    for await (const chunk of toContent('é👩‍👧').stream()) chunks.push(chunk)
    expect(chunks.map(String)).toEqual(['é👩‍👧'])
  })

  it('decodes strings of a stream by the encoding of the stream', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0xfe, 0x80])
    for (const encoding of ['hex', 'base64', 'latin1'] as const) {
      const content = toContent(Readable.from([bytes], { objectMode: false }).setEncoding(encoding))
      expect(await contentBytes(content)).toEqual(bytes)
    }
  })

  it('keeps a character that is split over two chunks of bytes', async () => {
    const [bytes] = [Buffer.from('é')]
    expect(await read(toContent(Readable.from([bytes.subarray(0, 1), bytes.subarray(1)])))).toBe('é')
  })

  it('may be empty', async () => {
    for (const empty of ['', new Uint8Array(), new Blob([]), Readable.from([]), [], new ArrayBuffer(0)]) {
      expect(await read(toContent(empty))).toBe('')
    }
  })
})

describe('what cannot be written', () => {
  it.each([
    ['a number', 5],
    ['a bigint', 5n],
    ['a boolean', true],
    ['null', null],
    ['undefined', undefined],
    ['a plain object', { a: 1 }],
    ['a promise', Promise.resolve('a')],
    ['a function', () => 'a'],
    ['a Date', new Date()],
    ['a symbol', Symbol('a')],
    ['an object without a prototype', Object.create(null)],
    ['a Response', new Response('a')],
    ['a stream that is only written to', new Writable()],
  ])('%s', (_, value) => {
    expect(() => toContent(value as never)).toThrow(InvalidArgumentError)
  })

  it.each([
    ['a number', [1]],
    ['null', ['a', null]],
    ['an object', Readable.from([{ a: 1 }])],
    ['a Map, whose entries are arrays', new Map([['a', 'b']])],
    ['a web stream of numbers', ReadableStream.from([1])],
  ])('an iterable or stream with a chunk that is %s', async (_, value) => {
    await expect(read(toContent(value as never))).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('a stream that was read, destroyed or has failed', async () => {
    const ended = Readable.from(['a'])
    for await (const chunk of ended) expect(chunk).toBe('a')
    const begun = Readable.from(['a', 'b'])
    await begun.iterator({ destroyOnReturn: false }).next()
    const destroyed = Readable.from(['a']).destroy()
    const failed = new Readable({ read() {} }).on('error', () => undefined)
    failed.destroy(new Error('gone'))
    for (const stream of [ended, begun, destroyed, failed]) expect(() => toContent(stream)).toThrow(InvalidArgumentError)
    expect(() => toContent(failed)).toThrow(/gone/)
  })

  it('a web stream that is locked, was read, or was cancelled', async () => {
    const locked = new Blob(['a']).stream()
    locked.getReader()
    const response = new Response('abc')
    await response.text()
    const released = new Blob(['abc']).stream()
    const reader = released.getReader()
    await reader.read()
    reader.releaseLock()
    const cancelled = new Blob(['abc']).stream()
    await cancelled.cancel()
    for (const stream of [locked, response.body, released, cancelled]) {
      expect(() => toContent(stream as ReadableStream)).toThrow(InvalidArgumentError)
    }
  })
})

describe('a source that fails', () => {
  const failing: readonly (readonly [string, () => Contents])[] = [
    [
      'a Node stream',
      () =>
        Readable.from(
          (async function* () {
            yield 'new'
            throw new Error('cut')
          })(),
        ),
    ],
    [
      'a Node stream destroyed midway',
      () => {
        const s = new PassThrough()
        s.write('new')
        setImmediate(() => s.destroy(new Error('cut')))
        return s
      },
    ],
    [
      'a web stream',
      () =>
        ReadableStream.from(
          (async function* () {
            yield 'new'
            throw new Error('cut')
          })(),
        ),
    ],
    [
      'an iterable',
      () =>
        (async function* () {
          yield 'new'
          throw new Error('cut')
        })(),
    ],
  ]

  it.each(failing)('%s: the old file stays, and the cause is kept', async (_, make) => {
    const disk = new Disk(new MemoryDriver())
    await disk.put('a', 'old')
    await expect(disk.put('a', make())).rejects.toMatchObject({ code: 'unknown', operation: 'write', path: 'a', cause: { message: 'cut' } })
    expect(await disk.text('a')).toBe('old')
    expect(await disk.allFiles()).toEqual(['a'])
  })

  it('before it is read does not end the process: a local file that is not there', async () => {
    const disk = new Disk({
      name: 'slow',
      mount: async () => {
        await new Promise((done) => setTimeout(done, 30))
        return { driver: new MemoryDriver(), name: 'slow' }
      },
      close: async () => undefined,
    })
    await expect(disk.put('a', createReadStream('/nowhere/at/all'))).rejects.toMatchObject({ path: 'a' })
    await expect(disk.append('a', createReadStream('/nowhere/at/all'))).rejects.toMatchObject({ path: 'a' })
    await expect(disk.putFileAs('', createReadStream('/nowhere/at/all'), 'a')).rejects.toBeDefined()
    expect(await disk.exists('a')).toBe(false)
  })

  it('is destroyed, so that it does not stay open', async () => {
    const disk = new Disk(new MemoryDriver())
    const make = (): Readable => new Readable({ read() {} })
    for (const refused of [
      (s: Contents) => disk.put('../a', s),
      (s: Contents) => disk.put('a', s, { visibility: 'secret' as never }),
      (s: Contents) => disk.append('../a', s),
      (s: Exclude<Contents, string>) => disk.putFile('../a', s),
      (s: Contents) => disk.readOnly().put('a', s),
    ]) {
      const stream = make()
      await expect(refused(stream)).rejects.toBeDefined()
      expect(stream.destroyed).toBe(true)
    }
    const web = new ReadableStream({ cancel: () => void (cancelled = true) })
    let cancelled = false
    await expect(disk.put('../a', web)).rejects.toMatchObject({ code: 'invalid_path' })
    expect(cancelled).toBe(true)
  })

  it('leaves a locked web stream to whoever holds it, and other values alone', () => {
    const locked = new Blob(['a']).stream()
    locked.getReader()
    for (const value of [locked, 'a', undefined, null, 5, {}]) expect(() => abandon(value)).not.toThrow()
  })
})

describe('a source that is stopped early', () => {
  it('is given back: Node stream, web stream and generator', async () => {
    let returned = false
    let cancelled = false
    const node = Readable.from(['a', 'b', 'c'])
    const web = new ReadableStream({ pull: (c) => c.enqueue('a'), cancel: () => void (cancelled = true) }, { highWaterMark: 0 })
    const generator = (async function* () {
      try {
        for (;;) yield 'a'
      } finally {
        returned = true
      }
    })()
    for (const source of [node, web, generator]) for await (const _ of toContent(source).stream()) break
    expect([node.destroyed, cancelled, returned]).toEqual([true, true, true])
  })
})

describe('collecting a body', () => {
  const bodyOf = (...chunks: Uint8Array[]): Body => yields(...chunks)
  const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)

  it('gives a Buffer of all of it', async () => {
    for (const body of [bodyOf(bytes(2), bytes(3)), bodyOf(bytes(5)), bytesBody(bytes(5))]) {
      const result = await collect(body)
      expect(Buffer.isBuffer(result)).toBe(true)
      expect(result).toEqual(Buffer.alloc(5, 7))
    }
    expect(await collect(bodyOf())).toHaveLength(0)
  })

  it('refuses a body that is not as long as it should be', async () => {
    for (const length of [4, 6]) {
      await expect(collect(bodyOf(bytes(length)), { expected: 5 })).rejects.toMatchObject({ code: 'unavailable', retryable: true })
      await expect(collect(bytesBody(bytes(length)), { expected: 5 })).rejects.toMatchObject({ code: 'unavailable' })
    }
  })

  it('stops at a body that goes on after its end', async () => {
    let pulled = 0
    const long = (async function* () {
      for (; pulled < 100; pulled++) yield bytes(1)
    })()
    await expect(collect(long, { expected: 5 })).rejects.toMatchObject({ code: 'unavailable' })
    expect(pulled).toBe(5)
  })

  it('takes exactly maxBytes, and not one more', async () => {
    expect(await collect(bodyOf(bytes(3), bytes(2)), { maxBytes: 5 })).toHaveLength(5)
    expect(await collect(bytesBody(bytes(5)), { maxBytes: 5 })).toHaveLength(5)
    for (const body of [bodyOf(bytes(6)), bytesBody(bytes(6))]) {
      await expect(collect(body, { maxBytes: 5 })).rejects.toMatchObject({ code: 'quota_exceeded' })
    }
  })

  it('reads nothing when the length alone is too much, and nothing after the byte too many', async () => {
    let pulled = 0
    let returned = 0
    const body = (): Body =>
      (async function* () {
        try {
          for (;;) {
            pulled++
            yield bytes(4)
          }
        } finally {
          returned++
        }
      })()
    await expect(collect(body(), { expected: 8, maxBytes: 5 })).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect(pulled).toBe(0)
    await expect(collect(body(), { maxBytes: 5 })).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect([pulled, returned]).toEqual([2, 1])
  })
})

describe('bodies', () => {
  it('are given back unread without a word', async () => {
    let returned = false
    await discard({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: true, value: undefined }),
        return: async () => {
          returned = true
          throw new Error('late')
        },
      }),
    })
    expect(returned).toBe(true)
  })

  it('become Node streams of bytes', async () => {
    const stream = toReadable(yields(Buffer.from('ab'), Buffer.from('c')))
    expect(stream.readableObjectMode).toBe(false)
    expect(stream.readableHighWaterMark).toBe(CHUNK_BYTES)
    expect(await read(toContent(stream))).toBe('abc')
  })

  it('are views where no copy is needed', () => {
    const view = new Uint8Array(HELLO.buffer, HELLO.byteOffset, 3)
    expect(asBuffer(view).buffer).toBe(HELLO.buffer)
    expect(asBuffer(HELLO)).toBe(HELLO)
  })
})

describe('progress', () => {
  async function steps(content: Content): Promise<{ loaded: number; total?: number }[]> {
    const told: { loaded: number; total?: number }[] = []
    for await (const _ of withProgress(content, (step) => told.push(step)).stream());
    return told
  }

  it('tells the total where it is known', async () => {
    expect(await steps(bytesContent(Buffer.alloc(3)))).toEqual([{ loaded: 3, total: 3 }])
    expect(await steps(streamContent(yields(Buffer.alloc(3), Buffer.alloc(2))))).toEqual([{ loaded: 3 }, { loaded: 5 }])
  })

  it('hands large content out in slices', async () => {
    const told = await steps(bytesContent(Buffer.alloc(2 * CHUNK_BYTES + 1)))
    expect(told.map(({ loaded }) => loaded)).toEqual([CHUNK_BYTES, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1])
  })

  it('is told of empty content once', async () => {
    expect(await steps(bytesContent(Buffer.alloc(0)))).toEqual([{ loaded: 0, total: 0 }])
  })

  it('begins anew when the content is read again', async () => {
    const told: number[] = []
    const content = withProgress(bytesContent(Buffer.alloc(3)), ({ loaded }) => told.push(loaded))
    await read(content)
    await read(content)
    expect(told).toEqual([3, 3])
  })
})

describe('promised checksums', () => {
  const checksum = { algorithm: 'md5', value: '5d41402abc4b2a76b9719d911017c592' } as const

  it('let the content pass', async () => {
    expect(withChecksum(toContent('hello'), checksum).bytes?.byteLength).toBe(5)
    expect(await read(withChecksum(toContent(['hel', 'lo']), checksum))).toBe('hello')
  })

  it('refuse other bytes at once, and other streams before their end', async () => {
    expect(() => withChecksum(toContent('hallo'), checksum)).toThrow(expect.objectContaining({ code: 'corrupted' }))
    await expect(read(withChecksum(toContent(['hal', 'lo']), checksum))).rejects.toMatchObject({ code: 'corrupted' })
  })
})

describe('content in memory', () => {
  it('stops at a signal between chunks', async () => {
    const controller = new AbortController()
    const content = streamContent(
      (async function* () {
        yield HELLO
        controller.abort('enough')
        yield HELLO
      })(),
    )
    await expect(contentBytes(content, controller.signal)).rejects.toBe('enough')
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })
})
