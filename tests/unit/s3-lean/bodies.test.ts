/** The XML that is sent: as its namespace and its order are documented, and every key as it is. */
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { completionBody, deletionBody } from '../../../src/drivers/s3/lean/bodies.ts'
import { type Shape, XmlReader } from '../../../src/drivers/s3/lean/xml.ts'

const of = (children: Readonly<Record<string, Shape>>): Shape => ({ children: new Map(Object.entries(children)) })

function keysIn(body: Uint8Array): readonly string[] {
  const keys: string[] = []
  const reader = new XmlReader(of({ Delete: of({ Object: of({ Key: { text: (text) => void keys.push(text) } }) }) }))
  reader.write(body)
  reader.end()
  return keys
}

describe('the body of a deletion', () => {
  it('names keys, and asks only for what fails', () => {
    expect(deletionBody(['a', 'b/c'], undefined).toString()).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>b/c</Key></Object><Quiet>true</Quiet></Delete>',
    )
  })

  it('names the version of each', () => {
    expect(deletionBody(['a'], 'v<1>').toString()).toContain('<Object><Key>a</Key><VersionId>v&#60;1&#62;</VersionId></Object>')
  })

  it('has nothing in it that a parser would change', () => {
    const body = deletionBody(['<&>"\'', ' a \t\r\n', '\u0085\u2028', ']]>'], undefined).toString()
    const texts = Array.from(body.matchAll(/<Key>([^<]*)<\/Key>/g), ([, text]) => text)
    expect(texts).toEqual(['&#60;&#38;&#62;&#34;&#39;', ' a &#9;&#13;&#10;', '&#133;&#8232;', ']]&#62;'])
  })

  it('has every key as it is', () => {
    const keys = fc.array(fc.string({ unit: 'binary', minLength: 1 }).filter((key) => key.isWellFormed() && !key.includes('\0')))
    fc.assert(fc.property(keys, (expected) => expect(keysIn(deletionBody(expected, undefined))).toEqual(expected)))
  })
})

describe('the body of a completion', () => {
  it('names parts, and what they hash to where that is known', () => {
    const parts = [
      { number: 1, etag: '"a"', size: 1, crc32: 'AAAAAA==' },
      { number: 2, etag: '"b"', size: 1 },
    ]
    expect(completionBody(parts).toString()).toBe(
      '<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ETag>&#34;a&#34;</ETag><PartNumber>1</PartNumber></Part><Part><ETag>&#34;b&#34;</ETag><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>',
    )
  })
})
