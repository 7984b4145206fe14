/**
 * MD5, which Azure compares with what arrives, keeps with a blob, and sends along with it: what was stored is what was sent, and
 * what is read is what was stored. Undefined where this Node has none (FIPS), and then nothing is compared.
 */
import type { Hash } from 'node:crypto'
import { nodeCrypto } from '../../builtins.ts'
import { IntegrityError } from '../../errors.ts'

export function md5Of(bytes: Uint8Array): Uint8Array | undefined {
  return newMd5()?.update(bytes).digest()
}

export function newMd5(): Hash | undefined {
  try {
    return nodeCrypto().createHash('md5')
  } catch {
    return undefined
  }
}

/** Passes a whole file on. @throws IntegrityError before its end when it is not the one that was stored */
export async function* verified(chunks: AsyncIterable<Uint8Array>, md5: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  const hash = newMd5()
  for await (const chunk of chunks) {
    hash?.update(chunk)
    yield chunk
  }
  if (hash !== undefined && !hash.digest().equals(md5)) throw wrongContent()
}

/** @throws IntegrityError when the bytes are not those that were stored */
export function verify(bytes: Uint8Array, md5: Uint8Array): void {
  const actual = md5Of(bytes)
  if (actual !== undefined && Buffer.compare(actual, md5) !== 0) throw wrongContent()
}

function wrongContent(): IntegrityError {
  return new IntegrityError('the bytes that came are not those that the store has: its Content-MD5 is another')
}
