/** Contents: every kind of thing that a file can be made of, and sizes around those at which stores change their ways. */
import { Blob, File } from 'node:buffer'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import type { Contents } from '../../content.ts'
import { bytesFor, codeOf, drained, expectBytes, expectFile, expectNoLeftovers, listed, rejectionOf } from './assertions.ts'
import { type ConformanceTest, reads, writes } from './conformance-test.ts'
import { expect } from './globals.ts'

const KIB = 1024
const SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1024 * KIB + 1]
const PART_BYTES = 10_007 // not a divisor of anything

/** Every kind of contents, made of the same bytes. */
const KINDS: Readonly<Record<string, (bytes: Buffer<ArrayBuffer>) => unknown>> = {
  Buffer: (bytes) => bytes,
  'view into a larger buffer': (bytes) => {
    const around = new Uint8Array(bytes.length + 20).fill(0xee)
    around.set(bytes, 10)
    return around.subarray(10, bytes.length + 10)
  },
  ArrayBuffer: (bytes) => new Uint8Array(bytes).buffer,
  Blob: (bytes) => new Blob([bytes]),
  File: (bytes) => new File([bytes], 'name.bin'),
  'Node stream': (bytes) => Readable.from(parts(bytes), { objectMode: false }),
  'web stream': (bytes) => webStream(bytes),
  generator: (bytes) => parts(bytes),
  'async generator': (bytes) => asyncParts(bytes),
  'array of chunks': (bytes) => [...parts(bytes)],
}

const TEXT = 'text of é, 公司 and 👩‍👩‍👧'
/** Chunks of strings, and kinds that only text has. */
const TEXTS: Readonly<Record<string, () => unknown>> = {
  string: () => TEXT,
  'array of strings': () => [TEXT.slice(0, 9), TEXT.slice(9)],
  'Node stream of strings': () => Readable.from([TEXT.slice(0, 9), TEXT.slice(9)]),
  'web stream of strings': () => new Blob([TEXT]).stream(),
  'strings and bytes in turn': () => [TEXT.slice(0, 9), Buffer.from(TEXT.slice(9))],
}

export const contents: readonly ConformanceTest[] = [
  writes('takes every kind of contents, in every size', async (t) => {
    for (const size of SIZES) {
      const bytes = Buffer.from(bytesFor(size, size + 1))
      for (const [kind, make] of Object.entries(KINDS)) {
        const result = await t.disk.put('a.bin', make(bytes) as Contents)
        expect({ kind, size: result.size }).toEqual({ kind, size })
        expectBytes(await t.disk.get('a.bin'), bytes, `${size} bytes from a ${kind}`)
      }
      expect(await t.disk.size('a.bin')).toBe(size)
    }
    expect(await listed(t.disk)).toEqual(['a.bin'])
    await expectNoLeftovers(t)
  }),

  reads('gives back every size, whole and as a stream', async ({ disk, seed }) => {
    for (const size of SIZES) {
      const bytes = bytesFor(size, size + 1)
      await seed.put(`${size}.bin`, bytes)
      await expectFile(disk, `${size}.bin`, bytes)
      expectBytes(await drained(await disk.readStream(`${size}.bin`)), bytes, `a stream of ${size} bytes`)
      expect((await disk.stat(`${size}.bin`)).size).toBe(size)
    }
  }),

  writes('writes text as UTF-8, and a string as one chunk', async ({ disk }) => {
    for (const [kind, make] of Object.entries(TEXTS)) {
      await disk.put('a.txt', make() as Contents)
      expect({ kind, text: await disk.text('a.txt') }).toEqual({ kind, text: TEXT })
    }
    expect((await disk.writeStream('b.txt', 'text')).size).toBe(4)
  }),

  writes('makes an empty file of a source without chunks, or with empty ones', async ({ disk }) => {
    for (const [index, source] of [[], ['', new Uint8Array()], Readable.from([]), new Blob([])].entries()) {
      expect((await disk.put(`${index}.txt`, source as Contents)).size).toBe(0)
      await expectFile(disk, `${index}.txt`, '')
    }
  }),

  writes('refuses what is no content, and chunks that are none, and leaves the old file', async (t) => {
    await t.disk.put('a.txt', 'old')
    for (const [kind, source] of Object.entries({ null: null, undefined, number: 5, 'plain object': {}, 'array of numbers': [1, 2] })) {
      const code = codeOf(await rejectionOf(t.disk.put('a.txt', source as Contents), kind))
      expect({ kind, code }).toEqual({ kind, code: 'invalid_argument' })
    }
    await expectFile(t.disk, 'a.txt', 'old')
    await expectNoLeftovers(t)
  }),

  writes('does not take a stream that was read before', async ({ disk }) => {
    const stream = Readable.from(['one', 'two'])
    await disk.put('a.txt', stream)
    expect(codeOf(await rejectionOf(disk.put('b.txt', stream)))).toBe('invalid_argument')
    expect(await listed(disk)).toEqual(['a.txt'])
  }),
]

function* parts(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += PART_BYTES) yield bytes.subarray(start, start + PART_BYTES)
}

async function* asyncParts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const part of parts(bytes)) {
    await Promise.resolve()
    yield part
  }
}

function webStream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const rest = parts(bytes)
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}
