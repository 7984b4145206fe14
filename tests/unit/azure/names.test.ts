import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { certainLength, keyOf, pathOf, prefixOf } from '../../../src/drivers/azure/keys.ts'
import { decodeMetadata, encodeMetadata } from '../../../src/drivers/azure/metadata.ts'
import { compareUtf8, normalizePath } from '../../../src/path.ts'

const segment = fc
  .array(fc.constantFrom('a', 'b', '.', ' ', '-', '0', '\ufdd0', 'd', 'e', '\ufffe', '\uffff', '\u{1f600}', '\ue000', 'é'), {
    minLength: 1,
    maxLength: 6,
  })
  .map((characters) => characters.join(''))
  .filter((name) => name !== '.' && name !== '..')
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'))

describe('the names of blobs', () => {
  it('are the paths of their files, where Azure keeps them', () => {
    for (const plain of ['a/b.txt', 'ü/日本 +%20&?#.txt', '...x', 'a b', ' a', 'a ', '👩‍👩‍👧.png']) expect(keyOf(plain)).toBe(plain)
  })

  it('never end a segment with a dot, which Azure would take away, nor have what XML cannot say', () => {
    expect(keyOf('notes.')).toBe('notes. ')
    expect(keyOf('a./b../...')).toBe('a. /b.. /... ')
    expect(keyOf('notes. ')).toBe('notes.  ')
    fc.assert(fc.property(path, (name) => !/\.(\/|$)|[\ufffe\uffff]/.test(keyOf(name))))
  })

  it('lead back to their paths', () => {
    fc.assert(fc.property(path, (name) => pathOf(keyOf(name)) === name))
  })

  it('are those of one path alone', () => {
    fc.assert(fc.property(path, path, (a, b) => a === b || keyOf(a) !== keyOf(b)))
  })

  it('are no files where no path leads to them', () => {
    for (const name of ['a//b', '/a', 'a/', 'a/./b', '../a', 'a\\b', 'a\u0007', '', 'notes.']) expect(pathOf(name)).toBeUndefined()
  })

  it('are refused when they are too long, as Azure counts', () => {
    expect(keyOf('n'.repeat(1_024))).toHaveLength(1_024)
    expect(() => keyOf('n'.repeat(1_025))).toThrow(expect.objectContaining({ code: 'invalid_path' }))
    expect(() => keyOf(`${'n'.repeat(1_023)}.`)).toThrow(expect.objectContaining({ code: 'invalid_path' }))
    expect(keyOf(Array.from({ length: 254 }, () => 'd').join('/'))).toHaveLength(507)
    expect(() => keyOf(Array.from({ length: 255 }, () => 'd').join('/'))).toThrow(expect.objectContaining({ code: 'invalid_path' }))
  })

  it('begin with the prefix of their directory', () => {
    fc.assert(fc.property(path, segment, (directory, name) => keyOf(normalizePath(`${directory}/${name}`)).startsWith(prefixOf(directory))))
    expect(prefixOf('')).toBe('')
  })

  // What the listing relies on: before the place that is not certain, every order agrees.
  it('are ordered as their paths up to where that is uncertain', () => {
    const orders = [compareUtf8, (a: string, b: string): number => (a < b ? -1 : Number(a > b))]
    fc.assert(
      fc.property(path, path, (a, b) => {
        const [inA, inB] = [a, b].map((name) => name.slice(0, certainLength(name)))
        const common = Array.from({ length: a.length }).findIndex((_, index) => a[index] !== b[index])
        const shared = common === -1 ? a.length : common
        if (a === b || shared >= (inA as string).length || shared >= (inB as string).length) return true
        return orders.every((order) => Math.sign(order(keyOf(a), keyOf(b))) === Math.sign(compareUtf8(a, b)))
      }),
    )
  })
})

describe('metadata', () => {
  it('has names that are C# identifiers, and values of ASCII', () => {
    expect(encodeMetadata({ owner: 'ann', 'order-id': '42', '1st': 'a b', Mixed_Case: 'x' })).toEqual({
      owner: 'ann',
      order_x002d_id: '42',
      _x0031_st: 'a b',
      mixed_case: 'x',
    })
    expect(encodeMetadata({ a: 'naïve', b: '', c: ' x', d: '=?utf-8?B?eA==?=' })).toEqual({
      a: '=?utf-8?B?bmHDr3Zl?=',
      b: '=?utf-8?B??=',
      c: '=?utf-8?B?IHg=?=',
      d: '=?utf-8?B?PT91dGYtOD9CP2VBPT0/PQ==?=',
    })
  })

  it('comes back as it was, with its names in lower case', () => {
    const name = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9a-z-]{1,12}$/)
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ unit: 'grapheme' })), (metadata) => {
        const encoded = encodeMetadata(metadata) ?? {}
        const isSendable = Object.entries(encoded).every(
          ([key, value]) => /^[a-z_][a-z0-9_]*$/.test(key) && /^[\x21-\x7e](.*[\x21-\x7e])?$/.test(value),
        )
        expect(isSendable).toBe(true)
        expect(decodeMetadata(encoded) ?? {}).toEqual({ ...metadata })
      }),
    )
    expect(decodeMetadata(encodeMetadata({ _x002d_: 'a', _x0041: 'b', '_x0041-': 'c' }))).toEqual({
      _x002d_: 'a',
      _x0041: 'b',
      '_x0041-': 'c',
    })
  })

  it('of other programs is told as it is', () => {
    expect(decodeMetadata({ Author: 'bob', hdi_isfolder: 'true', note: '=?utf-8?Q?x?=' })).toEqual({
      author: 'bob',
      hdi_isfolder: 'true',
      note: '=?utf-8?Q?x?=',
    })
    expect(decodeMetadata({})).toBeUndefined()
  })
})
