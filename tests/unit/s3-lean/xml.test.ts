/** The reader of XML: the same texts however the bytes are cut, and nothing of what no store sends. */
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { MAX_ANSWER_BYTES, MAX_DEPTH, MAX_NAME, MAX_TEXT, type Shape, XmlReader } from '../../../src/drivers/s3/lean/xml.ts'

const of = (children: Readonly<Record<string, Shape>>): Shape => ({ children: new Map(Object.entries(children)) })

/** The texts of every `K` in an `r`, and in its `g`s. */
function texts(pieces: Iterable<Uint8Array>): readonly string[] {
  const found: string[] = []
  const K: Shape = { text: (text) => void found.push(text) }
  const reader = new XmlReader(of({ r: of({ K, g: { ...of({ K }), end: () => void found.push('/g') } }) }))
  for (const piece of pieces) reader.write(piece)
  reader.end()
  return found
}

const bytesOf = (document: string | Uint8Array): Buffer => (typeof document === 'string' ? Buffer.from(document) : Buffer.from(document))
const whole = (document: string | Uint8Array): readonly string[] => texts([bytesOf(document)])
const bytewise = (document: string | Uint8Array): readonly string[] => texts(Array.from(bytesOf(document), (byte) => Buffer.of(byte)))

const ALL_KINDS = `\ufeff \n<?xml version="1.0" encoding="UTF-8"?>
  <!-- <K>no</K> -- > --><?pi a > b?>
<r xmlns="http://s3.amazonaws.com/doc/2006-03-01/" xmlns:x='a/'>
  <K>a&amp;&lt;&gt;&quot;&apos;&#233;&#xe9;é😀&#x1F600;</K >
  <K/><K></K><other><K>not here</K><g><K>nor here</K></g></other>
  <x:g x:a="1"><x:K><![CDATA[<K>&amp;]] >]]></x:K>text</x:g>
  <K> a<!-- b -->c<![CDATA[]]>d&#10;<?e?></K
>
</r>
<!-- end --> \r\n\t`
const ALL_TEXTS = [`a&<>"'ééé😀😀`, '', '', '<K>&amp;]] >', '/g', ' acd\n']

describe('a document', () => {
  it('gives the texts that are asked for, where they are asked for', () => expect(whole(ALL_KINDS)).toEqual(ALL_TEXTS))

  it('gives the same wherever it is cut', () => {
    const bytes = bytesOf(ALL_KINDS)
    for (let at = 0; at <= bytes.length; at++) expect(texts([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(ALL_TEXTS)
  })

  it('gives the same byte by byte, with empty pieces between', () => {
    const bytes = bytesOf(ALL_KINDS)
    expect(texts(Array.from(bytes, (byte) => [Buffer.alloc(0), Buffer.of(byte)]).flat())).toEqual(ALL_TEXTS)
  })

  it('that is cut short is an answer that may come whole next time', () => {
    const bytes = bytesOf(ALL_KINDS.trimEnd().replace('<!-- end -->', '').trimEnd())
    for (let at = 1; at < bytes.length; at++) {
      expect(() => texts([bytes.subarray(0, at)])).toThrow(expect.objectContaining({ code: 'unavailable', retryable: true }))
    }
  })

  const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => value.isWellFormed())
  const spellings = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 8 })
  /** A text, with each of its characters spelt in one of the ways there are. */
  const spelt = (value: string, how: readonly number[]): string =>
    Array.from(value, (character, index) => {
      const code = character.codePointAt(0) ?? 0
      const kind = how[index % how.length]
      if (code === 0) return ''
      if (kind === 0) return `&#${code};`
      if (kind === 1) return `&#x${code.toString(16)};`
      if (kind === 2) return `<![CDATA[${character}]]>`
      if (kind === 3) return `<!--${character === '-' ? '' : character}--><?p ?>${plain(character)}`
      return plain(character)
    }).join('')
  const plain = (character: string): string => character.replace(/[&<]/, (markup) => (markup === '&' ? '&amp;' : '&lt;'))

  it('of any texts, spelt and cut in any way, gives these', () => {
    const documents = fc.array(fc.record({ value: text, how: spellings, grouped: fc.boolean(), prefixed: fc.boolean() }), { maxLength: 6 })
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(documents, cuts, (elements, sizes) => {
        const written = elements.map(({ value, how, grouped, prefixed }) => {
          const name = prefixed ? 's3:K' : 'K'
          const element = `<${name}>${spelt(value, how)}</${name}>`
          return grouped ? `<g> ${element}<z a="${'b'.repeat(value.length)}"/></g>` : element
        })
        const bytes = bytesOf(`<r>${written.join('\n')}</r>`)
        const pieces: Uint8Array[] = []
        for (let at = 0, index = 0; at < bytes.length; at += sizes[index++ % sizes.length] ?? 1) {
          pieces.push(bytes.subarray(at, at + (sizes[index % sizes.length] ?? 1)))
        }
        const expected = elements.flatMap(({ value, grouped }) => [value.replaceAll('\0', ''), ...(grouped ? ['/g'] : [])])
        expect(texts(pieces)).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  it('of any bytes at all is read, or refused with a reason, whole and byte by byte alike', () => {
    const parts = [
      '<',
      '>',
      '/',
      '<r>',
      '</r>',
      '<K>',
      '</K>',
      '&',
      ';',
      '&#',
      'x1',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?',
      '?>',
      ' ',
      '"',
      '=',
      'é',
      '<!D',
      '\xff',
    ]
    const outcome = (read: () => readonly string[]): unknown => {
      try {
        return read()
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    const junk = fc.array(fc.constantFrom(...parts), { maxLength: 14 }).map((chosen) => Buffer.from(chosen.join(''), 'latin1'))
    fc.assert(
      fc.property(junk, (bytes) => {
        const result = outcome(() => whole(bytes))
        expect(result === 'unavailable' || Array.isArray(result)).toBe(true)
        expect(outcome(() => bytewise(bytes))).toEqual(result)
      }),
      { numRuns: 1_000 },
    )
  })
})

const entities = Array.from('bcdefghi', (name, index) => `<!ENTITY ${name} "${`&${'abcdefgh'[index]};`.repeat(10)}">`).join('')
const HOSTILE: Readonly<Record<string, string | Uint8Array>> = {
  'a document type': '<!DOCTYPE r><r/>',
  'a document type in lower case, as of a page': '<!doctype html><html></html>',
  'entities that grow': `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">${entities}]><r><K>&i;</K></r>`,
  'an entity that is a file': '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r><K>&e;</K></r>',
  'a declaration within': '<r><!ENTITY e "x"></r>',
  'an entity that nobody declared': '<r><K>&nbsp;</K></r>',
  'an entity of the language': '<r><K>&constructor;</K></r>',
  'an ampersand alone': '<r><K>a & b</K></r>',
  'an ampersand at the end': '<r><K>a&</K></r>',
  'a reference without its end': '<r><K>&#65</K></r>',
  'a reference to nothing': '<r><K>&#;</K></r>',
  'a reference to NUL': '<r><K>&#x0;</K></r>',
  'a reference to NUL, in decimals': '<r><K>&#000;</K></r>',
  'a reference to half a character': '<r><K>&#xD83D;&#xDE00;</K></r>',
  'a reference past Unicode': '<r><K>&#x110000;</K></r>',
  'a reference past all numbers': `<r><K>&#${'9'.repeat(400)};</K></r>`,
  'bytes that are not UTF-8': Buffer.from([...Buffer.from('<r><K>'), 0xff, ...Buffer.from('</K></r>')]),
  'a slash that is too long in UTF-8': Buffer.from([...Buffer.from('<r><K>'), 0xc0, 0xaf, ...Buffer.from('</K></r>')]),
  'UTF-16': Buffer.from('\ufeff<r><K>a</K></r>', 'utf16le'),
  'tags that do not match': '<r><K>a</J></r>',
  'tags that cross': '<r><g><K>a</g></K></r>',
  'an end before any beginning': '</r>',
  'an end too many': '<r></r></r>',
  'an end with more than a name': '<r><K>a</K b="c"></r>',
  'a second root': '<r></r><r></r>',
  'an element after the root': '<r/><K/>',
  'text after the root': '<r></r>text',
  'text before the root': 'text<r></r>',
  'a CDATA section before the root': '<![CDATA[ ]]><r></r>',
  JSON: '{"error":"no"}',
  'a text with an element in it': '<r><K>a<b/>c</K></r>',
  'a tag without a name': '<r><></></r>',
  'a name that does not end': `<r><${'x'.repeat(MAX_TEXT - 1)}`,
  'a tag that begins with a digit': '<r><1/></r>',
  'a tag in a tag': '<r><K<K>></K></r>',
  'an attribute without a value': '<r a></r>',
  'an attribute without quotes': '<r a=b></r>',
  'an attribute whose quotes do not end': '<r a="b></r>',
  'attributes without space between': '<r a="b"c="d"></r>',
  'a slash too many': '<r><K//></r>',
}

describe('what no store sends', () => {
  for (const [name, document] of Object.entries(HOSTILE)) {
    it(`is refused: ${name}`, () => {
      const refusal = expect.objectContaining({ code: 'unavailable', retryable: false })
      expect(() => whole(document)).toThrow(refusal)
      expect(() => bytewise(document)).toThrow(refusal)
    })
  }

  it('is refused: nothing', () => expect(() => texts([])).toThrow(expect.objectContaining({ code: 'unavailable', retryable: false })))
})

describe('what has a limit', () => {
  const inPieces = (document: string): readonly string[] => {
    const bytes = bytesOf(document)
    return texts(Array.from({ length: Math.ceil(bytes.length / 1_000) }, (_, index) => bytes.subarray(index * 1_000, (index + 1) * 1_000)))
  }
  const open = MAX_DEPTH - 2
  const documents: Readonly<Record<string, (over: number) => string>> = {
    'one text': (over) => `<r><K>${'x'.repeat(MAX_TEXT + over)}</K></r>`,
    'one text of many pieces': (over) => `<r><K>${'<!---->x'.repeat(MAX_TEXT + over)}</K></r>`,
    'one text of references': (over) => `<r><K>${'&#x26;'.repeat(10)}${'x'.repeat(MAX_TEXT - 60 + over)}</K></r>`,
    'one CDATA section': (over) => `<r><K><![CDATA[${'x'.repeat(MAX_TEXT - 12 + over)}]]></K></r>`,
    'one comment': (over) => `<r><!--${'x'.repeat(MAX_TEXT - 7 + over)}--></r>`,
    'one instruction': (over) => `<r><?${'x'.repeat(MAX_TEXT - 4 + over)}?></r>`,
    'one tag': (over) => `<r><z a="${'x'.repeat(MAX_TEXT - 9 + over)}"/></r>`,
    'one name': (over) => `<r><${'x'.repeat(MAX_NAME + over)}/></r>`,
    'one end of a tag': (over) => `<r><z></z${' '.repeat(MAX_TEXT - 4 + over)}></r>`,
    depth: (over) => `<r>${'<a>'.repeat(open + 1 + over)}${'</a>'.repeat(open + 1 + over)}</r>`,
    'the whole': (over) => `<r>${' '.repeat(MAX_ANSWER_BYTES - 7 + over)}</r>`,
  }
  for (const [name, document] of Object.entries(documents)) {
    it(`is read up to it and no further: ${name}`, () => {
      for (const read of [whole, inPieces]) {
        expect(read(document(0)).join('').length).toBeLessThanOrEqual(MAX_TEXT)
        expect(() => read(document(1))).toThrow(expect.objectContaining({ code: 'unavailable', retryable: false }))
      }
    })
  }

  it('is not the number of elements', () => expect(whole(`<r>${'<z/>'.repeat(100_000)}<K>a</K></r>`)).toEqual(['a']))
})
