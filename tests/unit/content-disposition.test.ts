import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { contentDisposition } from '../../src/content-disposition.ts'

describe('the Content-Disposition header', () => {
  it.each([
    ['a.txt', 'attachment; filename="a.txt"'],
    ['a b.txt', 'attachment; filename="a b.txt"'],
    ['Müller.pdf', 'attachment; filename="Muller.pdf"; filename*=UTF-8\'\'M%C3%BCller.pdf'],
    ['50% "off".txt', 'attachment; filename="50_ _off_.txt"; filename*=UTF-8\'\'50%25%20%22off%22.txt'],
    ['a\r\nSet-Cookie: x', 'attachment; filename="a__Set-Cookie: x"; filename*=UTF-8\'\'a%0D%0ASet-Cookie%3A%20x'],
  ])('of %j', (name, header) => {
    expect(contentDisposition('attachment', name)).toBe(header)
  })

  it('is one line of ASCII for any name, and the exact name comes back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), (name) => {
        const header = contentDisposition('inline', name)
        expect(header).toMatch(/^inline; filename="[\x20-\x7e]*"(; filename\*=UTF-8''[\w.!~%-]*)?$/)
        const exact = /filename\*=UTF-8''(.*)$/.exec(header)?.[1]
        const plain = /filename="([^"]*)"/.exec(header)?.[1]
        expect(exact === undefined ? plain : decodeURIComponent(exact)).toBe(name)
      }),
      { numRuns: 2_000 },
    )
  })

  it('does not fail over half a character', () => {
    expect(contentDisposition('attachment', 'a\ud800.txt')).toBe('attachment; filename="a_.txt"; filename*=UTF-8\'\'a%EF%BF%BD.txt')
  })
})
