/** What happens to ciphertext shows: damage is an IntegrityError, and nothing from the damaged segment on is handed out. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { bytesContent, toContent } from '../../../src/content.ts'
import { type EncryptedOptions, encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import type { Range } from '../../../src/driver.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

const key = generateKey()
const FORMATS: readonly (readonly [format: string, options: EncryptedOptions, header: number, segment: number, first: number])[] = [
  ['age', { key }, 528, 65_536, 65_536],
  ['tink', { key, format: 'tink' }, 40, 1_048_560, 1_048_520],
]
const TAG = 16
/** Segments of 1 MiB take their time. */
const ROUNDS: Readonly<Record<string, number>> = { age: 2_000, tink: 200 }

async function stored(driver: MemoryDriver): Promise<Buffer> {
  const { body } = await driver.read('file', {})
  return Buffer.from(await (body.bytes as () => Promise<Uint8Array>)())
}

interface Outcome {
  readonly plaintext: Buffer
  readonly code: string | undefined
}

async function read(ciphertext: Uint8Array, options: EncryptedOptions, range?: Range): Promise<Outcome> {
  const memory = new MemoryDriver()
  await memory.write('file', bytesContent(ciphertext), {})
  const chunks: Uint8Array[] = []
  try {
    const { body } = await encrypted(options)(memory).read('file', { range })
    for await (const chunk of body) chunks.push(chunk)
    return { plaintext: Buffer.concat(chunks), code: undefined }
  } catch (error) {
    return { plaintext: Buffer.concat(chunks), code: (error as { readonly code: string }).code }
  }
}

async function seal(plaintext: Uint8Array, options: EncryptedOptions): Promise<Buffer> {
  const memory = new MemoryDriver()
  await encrypted(options)(memory).write('file', bytesContent(plaintext), {})
  return stored(memory)
}

describe.each(FORMATS)('a damaged file, %s', (_format, options, header, segment, first) => {
  const plaintext = randomBytes(first + segment + 1_000)
  const boundaries = [header, header + first + TAG, header + first + segment + 2 * TAG]
  const cut = (bytes: Buffer): Buffer[] => {
    const [a = 0, b = 0, c = 0] = boundaries
    return [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b, c), bytes.subarray(c)]
  }

  async function expectDamage(damaged: Uint8Array): Promise<void> {
    const { plaintext: released, code } = await read(damaged, options)
    expect(code).toBe('corrupted')
    expect([0, first, first + segment]).toContain(released.byteLength)
    expect(released.equals(plaintext.subarray(0, released.byteLength))).toBe(true)
  }

  it('flipped in any of its bytes', async () => {
    const bytes = await seal(plaintext, options)
    const every = Array.from({ length: header + TAG * 2 }, (_, index) => index)
    const around = boundaries.slice(1).flatMap((at) => Array.from({ length: TAG * 2 + 2 }, (_, index) => at - TAG - 1 + index))
    const anywhere = Array.from({ length: 40 }, () => Math.floor(Math.random() * bytes.byteLength))
    const last = Array.from({ length: TAG + 2 }, (_, index) => bytes.byteLength - 1 - index)
    for (const at of new Set([...every, ...around, ...anywhere, ...last])) {
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8((damaged[at] as number) ^ (1 << (at % 8)), at)
      const { plaintext: released, code } = await read(damaged, options)
      expect([at, code]).toEqual([at, expect.stringMatching(/^(corrupted|key_not_found)$/)])
      const segmentsBefore = boundaries.filter((boundary) => boundary <= at).length - 1
      const most = segmentsBefore <= 0 ? 0 : first + (segmentsBefore - 1) * segment
      expect(released.byteLength).toBeLessThanOrEqual(most)
      expect(released.equals(plaintext.subarray(0, released.byteLength))).toBe(true)
    }
  })

  it('cut at every boundary, and beside them', async () => {
    const bytes = await seal(plaintext, options)
    const lengths = boundaries.flatMap((at) => [at - 1, at, at + 1, at + TAG, at + TAG + 1])
    for (const length of [0, 1, 20, header - 20, ...lengths, bytes.byteLength - 1]) await expectDamage(bytes.subarray(0, length))
  })

  it('with a segment dropped, repeated, swapped or added', async () => {
    const [head, a, b, c] = cut(await seal(plaintext, options)) as [Buffer, Buffer, Buffer, Buffer]
    const other = cut(await seal(plaintext, options))[2] as Buffer
    const variants = [
      [head, b, c],
      [head, a, c],
      [head, a, b],
      [head, a, a, c],
      [head, a, b, b, c],
      [head, b, a, c],
      [head, a, b, c, c],
      [head, a, b, c, Buffer.from('x')],
      [head, a, other, c],
      [head, a, b, c, head, a, b, c],
    ]
    for (const parts of variants) await expectDamage(Buffer.concat(parts))
  })

  it('behind a range that needs what is not there', async () => {
    const bytes = await seal(plaintext, options)
    const truncated = bytes.subarray(0, boundaries[2])
    const beyond: readonly Range[] = [
      { start: first + segment + 10 },
      { start: 5, end: first + segment + 10 },
      { suffix: 10 },
      { start: first + segment },
    ]
    for (const range of beyond) expect((await read(truncated, options, range)).code).toBe('corrupted')
    expect((await read(bytes, options, { start: plaintext.byteLength })).code).toBe('invalid_argument')
  })
})

describe.each(FORMATS)('lengths and ranges, %s', (format, options, header, segment, first) => {
  const lengths = [
    0,
    1,
    2,
    first - 1,
    first,
    first + 1,
    first + segment - 1,
    first + segment,
    first + segment + 1,
    first + 2 * segment - 1,
    first + 2 * segment,
    first + 2 * segment + 1,
  ]

  it.each(lengths)('%i bytes come back, from bytes and from a stream', async (length) => {
    const plaintext = randomBytes(length)
    const segments = Math.max(1, 1 + Math.ceil((length - first) / segment))
    const memory = new MemoryDriver()
    const driver = encrypted(options)(memory)
    async function* uneven(): AsyncGenerator<Uint8Array> {
      for (let start = 0, step = 1; start < length; start += step, step = (step * 7 + 13) % 99_991)
        yield plaintext.subarray(start, start + step)
    }
    for (const content of [bytesContent(plaintext), toContent(uneven())]) {
      await driver.write('file', content, {})
      expect((await stored(memory)).byteLength).toBe(header + length + TAG * segments)
      expect((await driver.stat('file', {})).size).toBe(length)
      expect((await read(await stored(memory), options)).plaintext.equals(plaintext)).toBe(true)
    }
  })

  it(`gives the slice for ${ROUNDS[format]} ranges`, async () => {
    const plaintext = randomBytes(first + segment + 12_345)
    const memory = new MemoryDriver()
    const driver = encrypted(options)(memory)
    await driver.write('file', bytesContent(plaintext), {})
    for (let round = 0; round < (ROUNDS[format] ?? 0); round++) {
      const start = Math.floor(Math.random() * plaintext.byteLength)
      const length = 1 + Math.floor(Math.random() ** 4 * plaintext.byteLength)
      const range: Range = round % 5 === 0 ? { suffix: length } : round % 7 === 0 ? { start } : { start, end: start + length }
      const expected = range.suffix === undefined ? plaintext.subarray(range.start, range.end) : plaintext.subarray(-range.suffix)
      const chunks: Uint8Array[] = []
      for await (const chunk of (await driver.read('file', { range })).body) chunks.push(chunk)
      expect([range, Buffer.concat(chunks).equals(expected)]).toEqual([range, true])
    }
  })
})

describe('the ciphertext', () => {
  it('has no 16 bytes of the plaintext', async () => {
    const plaintext = Buffer.from(Array.from({ length: 5_000 }, (_, index) => `line ${index} of a file that is quite regular\n`).join(''))
    for (const [, options] of FORMATS) {
      const bytes = await seal(plaintext, options)
      const runs = new Set<string>()
      for (let at = 0; at + 16 <= plaintext.byteLength; at++) runs.add(plaintext.toString('latin1', at, at + 16))
      const found = []
      for (let at = 0; at + 16 <= bytes.byteLength; at++) if (runs.has(bytes.toString('latin1', at, at + 16))) found.push(at)
      expect(found).toEqual([])
    }
  })

  it('is another one for every reading of the content, so that a retry seals nothing twice', async () => {
    const heads = new Set<string>()
    const source = toContent(new Blob([randomBytes(3_000_000)]))
    for (const [format, options] of FORMATS) {
      const seen: Buffer[] = []
      const memory = new MemoryDriver()
      const write = memory.write.bind(memory)
      memory.write = async (path, content, options) => {
        for (let attempt = 0; attempt < 3; attempt++) {
          const chunks: Uint8Array[] = []
          for await (const chunk of content.stream()) chunks.push(chunk)
          seen.push(Buffer.concat(chunks))
        }
        return write(path, content, options)
      }
      await encrypted(options)(memory).write('file', source, {})
      expect(seen).toHaveLength(3)
      for (const bytes of seen) heads.add(`${format} ${bytes.toString('hex', 0, 528)}`)
      for (const bytes of seen) expect((await read(bytes, options)).plaintext.byteLength).toBe(3_000_000)
    }
    expect(heads.size).toBe(6)
  })
})
