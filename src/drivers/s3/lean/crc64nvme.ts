/**
 * CRC-64/NVME, the checksum that Amazon gives files which came without one. By table, in halves of 32 bits: JavaScript's numbers have
 * no 64. NVM Express command set specification, "64b CRC"; the check value of '123456789' is ae8b14860a799888.
 */
import { type Digest, LITTLE_ENDIAN, sliced, SLICES } from '../../../digest.ts'

/** 0x9a6c9329ac4bc9b5, reflected. */
const POLYNOMIAL = { high: 0x9a6c9329, low: 0xac4bc9b5 }

interface Tables {
  readonly high: Int32Array
  readonly low: Int32Array
}

let tables: Tables | undefined

export function crc64nvme(): Digest {
  tables ??= makeTables()
  const state: State = { high: -1, low: -1 }
  return {
    update: (chunk) => advance(state, chunk, tables as Tables),
    digest: (encoding) => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32BE(~state.high >>> 0)
      bytes.writeUInt32BE(~state.low >>> 0, 4)
      return bytes.toString(encoding)
    },
  }
}

interface State {
  high: number
  low: number
}

function advance(state: State, chunk: Uint8Array, t: Tables): void {
  const { byteOffset, byteLength } = chunk
  if (byteLength < 2 * SLICES || !LITTLE_ENDIAN) {
    bytewise(state, chunk, t)
    return
  }
  const head = -byteOffset & 3
  const words = new Int32Array(chunk.buffer, byteOffset + head, ((byteLength - head) >>> 3) * 2)
  bytewise(state, chunk.subarray(0, head), t)
  wordwise(state, words, t)
  bytewise(state, chunk.subarray(head + words.byteLength), t)
}

function bytewise(state: State, chunk: Uint8Array, t: Tables): void {
  let { high, low } = state
  for (let i = 0; i < chunk.length; i++) {
    const index = (low ^ (chunk[i] as number)) & 0xff
    low = (t.low[index] as number) ^ ((low >>> 8) | (high << 24))
    high = (t.high[index] as number) ^ (high >>> 8)
  }
  state.high = high
  state.low = low
}

function wordwise(state: State, words: Int32Array, t: Tables): void {
  let { high, low } = state
  for (let i = 0; i < words.length; i += 2) {
    const a = low ^ (words[i] as number)
    const b = high ^ (words[i + 1] as number)
    high = sliced(t.high, a, b)
    low = sliced(t.low, a, b)
  }
  state.high = high
  state.low = low
}

function makeTables(): Tables {
  const t = { high: new Int32Array(SLICES * 256), low: new Int32Array(SLICES * 256) }
  for (let index = 0; index < t.high.length; index++) {
    const state: State = { high: 0, low: index & 0xff }
    if (index < 256) for (let bit = 0; bit < 8; bit++) shift(state)
    else {
      state.high = t.high[index - 256] as number
      state.low = t.low[index - 256] as number
      bytewise(state, ZERO, t)
    }
    t.high[index] = state.high
    t.low[index] = state.low
  }
  return t
}

const ZERO = new Uint8Array(1)

/** One bit further on. */
function shift(state: State): void {
  const carry = state.low & 1
  state.low = (state.low >>> 1) | (state.high << 31)
  state.high >>>= 1
  if (carry === 0) return
  state.high ^= POLYNOMIAL.high
  state.low ^= POLYNOMIAL.low
}
