/** The published test vectors of age (C2SP CCTV), as far as they are about X25519 and the payload. */
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import * as vectors from 'cctv-age'
import { bytesContent } from '../../../src/content.ts'
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'

interface Vector {
  readonly expect: string
  readonly facts: ReadonlyMap<string, string>
  readonly identities: readonly string[]
  readonly file: Uint8Array
}

function parse(bytes: Uint8Array): Vector {
  const end = Buffer.from(bytes).indexOf('\n\n')
  const lines = Buffer.from(bytes.subarray(0, end)).toString().split('\n')
  const pairs = lines.map((line): [string, string] => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)])
  const facts = new Map(pairs)
  const file = bytes.subarray(end + 2)
  return {
    expect: facts.get('expect') ?? '',
    facts,
    identities: pairs.filter(([name]) => name === 'identity').map(([, value]) => value),
    file: facts.get('compressed') === 'zlib' ? inflateSync(file) : file,
  }
}

const applicable = Object.entries(vectors as unknown as Readonly<Record<string, Uint8Array>>)
  .map(([name, bytes]): [string, Vector] => [name, parse(bytes)])
  .filter(
    ([, { facts, identities }]) =>
      !facts.has('armored') && !facts.has('passphrase') && identities.every((text) => text.startsWith('AGE-SECRET-KEY-1')),
  )

async function decrypt({ file, identities }: Vector): Promise<{ readonly plaintext: Buffer; readonly failure: unknown }> {
  const memory = new MemoryDriver()
  await memory.write('file', bytesContent(file), {})
  const driver = encrypted({ key: generateKey(), recover: [...identities] })(memory)
  const chunks: Uint8Array[] = []
  try {
    const { body } = await driver.read('file', {})
    for await (const chunk of body) chunks.push(chunk)
    return { plaintext: Buffer.concat(chunks), failure: undefined }
  } catch (failure) {
    return { plaintext: Buffer.concat(chunks), failure }
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** All vectors have the same first chunk; this one releases just that. */
const firstChunk = applicable.find(([name]) => name === 'stream_bad_tag_second_chunk')?.[1].facts.get('payload')

describe('the vectors of age', () => {
  it('are as many as were published for what is supported', () => expect(applicable.length).toBeGreaterThanOrEqual(67))

  it.each(applicable)('%s', async (_name, vector) => {
    const { plaintext, failure } = await decrypt(vector)
    if (vector.expect === 'success') {
      expect(failure).toBeUndefined()
      expect(sha256(plaintext)).toBe(vector.facts.get('payload'))
      return
    }
    expect(failure).toMatchObject({ code: 'corrupted' })
    // What comes before the damaged chunk may be handed on, and nothing else. A size that no file has is refused before that, and
    // where the last chunk is not marked as such, sizes tell already that it should be.
    expect([sha256(new Uint8Array()), vector.facts.get('payload'), firstChunk]).toContain(sha256(plaintext))
  })
})
