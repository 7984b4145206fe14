/** What stores answer, each in its own words, and what it is read as. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  type AnswerReader,
  deletionReader,
  errorReader,
  isLateFailure,
  keyPageReader,
  partsReader,
  uploadIdReader,
  writtenReader,
} from '../../../src/drivers/s3/lean/answers.ts'

/** Whole, and in pieces of a few bytes: both are the same. */
function read<Answer>(reader: () => AnswerReader<Answer>, document: string | Uint8Array): Answer {
  const bytes = Buffer.from(document as string)
  const of = (size: number): Answer => {
    const answer = reader()
    for (let at = 0; at < bytes.length; at += size) answer.write(bytes.subarray(at, at + size))
    return answer.end()
  }
  const answer = of(Math.max(1, bytes.length))
  expect(of(3)).toEqual(answer)
  return answer
}

const REFUSED: object = { code: 'unavailable', retryable: false }
const refusal = (read: () => unknown): unknown => {
  try {
    return read()
  } catch (error) {
    return error
  }
}
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
const PAGE = '<html><head><title>Log in</title></head><body><Code>NoSuchKey</Code></body></html>'

describe('a page of keys', () => {
  it('of Amazon', () => {
    const page = `${DECLARATION}
<ListBucketResult ${NAMESPACE}><Name>quotes</Name><Prefix>E</Prefix><StartAfter>ExampleGuide.pdf</StartAfter><KeyCount>1</KeyCount>
  <MaxKeys>3</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
  <Contents><Key>Example+Object%2B1.txt</Key><LastModified>2013-09-17T18:07:53.000Z</LastModified>
  <ETag>&quot;599bab3ed2c697f1d26842727561fd94&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>857</Size>
  <StorageClass>REDUCED_REDUNDANCY</StorageClass>
  <RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>
  <Owner><ID>75aa</ID><DisplayName>mtd</DisplayName><Key>not this</Key></Owner></Contents></ListBucketResult>`
    expect(read(keyPageReader, page)).toEqual({
      objects: [
        {
          key: 'Example Object+1.txt',
          size: 857,
          lastModified: new Date('2013-09-17T18:07:53.000Z'),
          etag: '"599bab3ed2c697f1d26842727561fd94"',
        },
      ],
      prefixes: [],
      truncated: false,
    })
  })

  it('of MinIO, which tells the encoding after the keys', () => {
    const page = `${DECLARATION}
<ListBucketResult ${NAMESPACE}><Name>b</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>%2F</Delimiter><IsTruncated>true</IsTruncated><Contents><Key>a%20%E2%82%AC</Key><LastModified>2026-11-21T17:00:01.123Z</LastModified><ETag>&#34;e&#34;</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>d%2B/</Prefix></CommonPrefixes><EncodingType>url</EncodingType></ListBucketResult>`
    expect(read(keyPageReader, page)).toEqual({
      objects: [{ key: 'a €', size: 0, lastModified: new Date('2026-11-21T17:00:01.123Z'), etag: '"e"' }],
      prefixes: ['d+/'],
      truncated: true,
    })
  })

  it('of a store that does not encode', () => {
    const page = '<ListBucketResult><Name>b</Name><Contents><Key>a+b%20&amp;&#x1;</Key><ETag>e</ETag></Contents></ListBucketResult>'
    const object = { key: 'a+b%20&\u0001', size: 0, lastModified: undefined, etag: '"e"' }
    expect(read(keyPageReader, page)).toEqual({ objects: [object], prefixes: [], truncated: false })
  })

  it('of a store that puts all prefixes into one element, and prefixes before names', () => {
    const page =
      '<s:ListBucketResult xmlns:s="u"><s:KeyCount>0</s:KeyCount><s:CommonPrefixes><s:Prefix>a/</s:Prefix><s:Prefix>b/</s:Prefix></s:CommonPrefixes></s:ListBucketResult>'
    expect(read(keyPageReader, page)).toEqual({ objects: [], prefixes: ['a/', 'b/'], truncated: false })
  })

  it('has a date where it is one, and an etag where there is one', () => {
    const dates = ['', 'soon', '2026-11-21', '2026-13-41T25:61:61Z', '1', 'Sat, 21 Nov 2026 17:00:00 GMT']
    const contents = dates.map((date) => `<Contents><Key>a</Key><LastModified>${date}</LastModified><ETag/></Contents>`)
    const { objects } = read(keyPageReader, `<ListBucketResult><Name/>${contents.join('')}</ListBucketResult>`)
    expect(objects).toEqual(dates.map(() => ({ key: 'a', size: 0, lastModified: undefined, etag: undefined })))
  })

  const listing = (inside: string): string => `<ListBucketResult><Name>b</Name>${inside}</ListBucketResult>`
  it.each([
    '<ListBucketResult/>',
    '<ListBucketResult><Prefix>a</Prefix></ListBucketResult>',
    '<Other><Name>b</Name></Other>',
    '<Error><Code>InternalError</Code></Error>',
    PAGE,
    '<!doctype html><title>Console</title>',
    '{"objects":[]}',
    '',
    listing('<IsTruncated>maybe</IsTruncated>'),
    listing('<Contents><Key>a</Key><Size>many</Size></Contents>'),
    listing('<Contents><Key>a</Key><Size></Size></Contents>'),
    listing('<Contents><Key>a</Key><Size>-1</Size></Contents>'),
    listing(`<Contents><Key>a</Key><Size>${'9'.repeat(30)}</Size></Contents>`),
    listing('<EncodingType>url</EncodingType><Contents><Key>%</Key></Contents>'),
    listing('<EncodingType>url</EncodingType><Contents><Key>%ff</Key></Contents>'),
    listing('<EncodingType>url</EncodingType><CommonPrefixes><Prefix>+%zz</Prefix></CommonPrefixes>'),
  ])('is not in %s', (document) => expect(refusal(() => read(keyPageReader, document))).toMatchObject(REFUSED))

  it('that was cut may come whole next time', () => {
    expect(refusal(() => read(keyPageReader, '<ListBucketResult><Name>b</Name>'))).toMatchObject({ code: 'unavailable', retryable: true })
  })

  it('gives every key that was encoded', () => {
    const keys = fc.array(
      fc.string({ unit: 'binary', minLength: 1 }).filter((key) => key.isWellFormed()),
      { maxLength: 5 },
    )
    fc.assert(
      fc.property(keys, fc.boolean(), (expected, plus) => {
        const encoded = expected.map((key) => (plus ? encodeURIComponent(key).replaceAll('%20', '+') : encodeURIComponent(key)))
        const contents = encoded.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')
        const { objects } = read(keyPageReader, listing(`${contents}<EncodingType>url</EncodingType>`))
        expect(objects.map(({ key }) => key)).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })

  it.each(['photos/2026/an+image%2Fwith-a-long-name.jpeg', 'photos/2026/an-image-with-a-long-name.jpeg'])(
    'can go when one of its keys is kept: %s',
    (key) => {
      setFlagsFromString('--expose-gc')
      const collect = runInNewContext('gc') as () => void
      const etag = '"0123456789abcdef0123456789abcdef"'
      const contents = `<Contents><Key>${key}</Key><ETag>${etag}</ETag></Contents>`.repeat(500)
      const bytes = Buffer.from(listing(`<EncodingType>url</EncodingType>${contents}`))
      const kept: unknown[] = []
      collect()
      const before = process.memoryUsage().heapUsed
      for (let page = 0; page < 400; page++) {
        const reader = keyPageReader()
        reader.write(bytes)
        const { objects } = reader.end()
        kept.push(objects[7]?.key, objects[8]?.etag)
      }
      collect()
      // 400 pages are 20 MB.
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000)
      expect(kept).toHaveLength(800)
    },
  )
})

describe('what a store says of a failure', () => {
  const inAmazonsWords = `${DECLARATION}
<Error><Code>AuthorizationHeaderMalformed</Code><Message>The region &apos;us-east-1&apos; is wrong; expecting &apos;eu-central-1&apos;</Message><Region>eu-central-1</Region><RequestId>656c76696e6727732072657175657374</RequestId><HostId>Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==</HostId></Error>`
  it('is what Amazon says', () => {
    expect(read(errorReader, inAmazonsWords)).toEqual({
      code: 'AuthorizationHeaderMalformed',
      message: "The region 'us-east-1' is wrong; expecting 'eu-central-1'",
      region: 'eu-central-1',
      requestId: '656c76696e6727732072657175657374',
      hostId: 'Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==',
    })
    const redirect = '<Error><Code>PermanentRedirect</Code><Endpoint>b.s3-eu-west-1.amazonaws.com</Endpoint><Bucket>b</Bucket></Error>'
    expect(read(errorReader, redirect)).toEqual({ code: 'PermanentRedirect', endpoint: 'b.s3-eu-west-1.amazonaws.com', bucket: 'b' })
  })

  it('is what others say', () => {
    const radosgw = `${DECLARATION}<Error><Code>NoSuchBucket</Code><BucketName>b</BucketName><RequestId>tx0-1-default</RequestId><HostId>1-default-default</HostId></Error>`
    expect(read(errorReader, radosgw)).toEqual({
      code: 'NoSuchBucket',
      bucket: 'b',
      requestId: 'tx0-1-default',
      hostId: '1-default-default',
    })
    const minio = `${DECLARATION}\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message><Resource>/b/k</Resource><RequestId>17B</RequestId><HostId>dd9</HostId></Error>`
    expect(read(errorReader, minio)).toEqual({
      code: 'SlowDown',
      message: 'Please reduce your request rate',
      requestId: '17B',
      hostId: 'dd9',
    })
    const wrapped = '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidToken</Code></Error><RequestId>r</RequestId></ErrorResponse>'
    expect(read(errorReader, wrapped)).toEqual({ code: 'InvalidToken', requestId: 'r' })
  })

  it.each([
    PAGE,
    '<!doctype html><h1>502</h1>',
    '{"code":"no"}',
    '',
    ' \n',
    'Bad gateway',
    '<Error',
    '<Error><Code>&lol;</Code></Error>',
    '\xff',
  ])('is nothing in %s', (document) => expect(read(errorReader, document)).toEqual({}))

  it('is what came of it, when it was cut', () => {
    const expected: Record<string, string> = {}
    for (let length = 0; length < inAmazonsWords.length; length++) {
      Object.assign(expected, read(errorReader, inAmazonsWords.slice(0, length)))
      expect(read(errorReader, inAmazonsWords.slice(0, length))).toEqual(expected)
    }
  })

  it('is said at the beginning: of what does not end only that is read', () => {
    const reader = errorReader()
    reader.write(Buffer.from(`<Error><Code>SlowDown</Code><Message>${'x'.repeat(3_000)}</Message>`))
    const junk = Buffer.alloc(1024 * 1024, 'x')
    for (let index = 0; index < 1_024; index++) reader.write(junk)
    reader.write(Buffer.from('</Error><Code>Other</Code>'))
    expect(reader.end()).toEqual({ code: 'SlowDown', message: 'x'.repeat(1_024) })
  })

  it('is never a failure of its own', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (pieces) => {
        const reader = errorReader()
        for (const piece of pieces) reader.write(piece)
        expect(reader.end()).toEqual({})
      }),
    )
  })
})

describe('a late failure', () => {
  const late = `${DECLARATION}${' '.repeat(50)}\n<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message><RequestId>r</RequestId></Error>`
  const error = { code: 'InternalError', message: 'We encountered an internal error.', requestId: 'r' }
  it('is told apart from what was done', () => {
    for (const reader of [deletionReader, writtenReader]) {
      const answer = read<object>(reader, late)
      expect([isLateFailure(answer), answer]).toEqual([true, { error }])
    }
    expect(isLateFailure(read(deletionReader, '<DeleteResult/>'))).toBe(false)
    expect(isLateFailure(read(writtenReader, '<CopyPartResult/>'))).toBe(false)
  })

  it('is no answer where none is sent', () => {
    for (const reader of [uploadIdReader, partsReader]) expect(refusal(() => read<unknown>(reader, late))).toMatchObject(REFUSED)
  })

  it('may be cut as well', () => {
    for (const document of [DECLARATION, `${DECLARATION}  `, late.slice(0, -3)]) {
      expect(refusal(() => read(writtenReader, document))).toMatchObject({ code: 'unavailable', retryable: true })
    }
  })
})

describe('an answer of a command', () => {
  it('tells the keys that were not deleted', () => {
    const failures = `<Error><Key>a&lt;b</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error><Error><Key>c</Key><VersionId>v</VersionId><Code>InternalError</Code><Message/></Error>`
    const answer = `${DECLARATION}<DeleteResult ${NAMESPACE}><Deleted><Key>d</Key></Deleted>${failures}</DeleteResult>`
    expect(read(deletionReader, answer)).toEqual([
      { key: 'a<b', code: 'AccessDenied', message: 'Access Denied', versionId: undefined },
      { key: 'c', code: 'InternalError', message: '', versionId: 'v' },
    ])
    expect(read(deletionReader, '<DeleteResult></DeleteResult>')).toEqual([])
  })

  it('tells the id of an upload', () => {
    const answer = `${DECLARATION}<InitiateMultipartUploadResult ${NAMESPACE}><Bucket>b</Bucket><Key>k</Key><UploadId>2~VXBsb2Fk</UploadId></InitiateMultipartUploadResult>`
    expect(read(uploadIdReader, answer)).toBe('2~VXBsb2Fk')
    expect(refusal(() => read(uploadIdReader, '<InitiateMultipartUploadResult/>'))).toMatchObject(REFUSED)
  })

  it.each([
    ['CopyObjectResult', '<LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>"9b2cf535f27731c974343645a3985328"</ETag>'],
    ['CopyPartResult', '<ETag>9b2cf535f27731c974343645a3985328</ETag>'],
    ['CompleteMultipartUploadResult', '<Location>http://x</Location><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag>'],
  ])('tells what was written: %s', (root, fields) => {
    const [etag, checksumCrc32] = ['"9b2cf535f27731c974343645a3985328"', 'yZRlqg==']
    expect(read(writtenReader, `${DECLARATION}\n  <${root} ${NAMESPACE}>${fields}</${root}>\n`)).toEqual({ etag, checksumCrc32: undefined })
    const checked = `<${root}>${fields}<ChecksumCRC32>${checksumCrc32}</ChecksumCRC32></${root}>`
    expect(read(writtenReader, checked)).toEqual({ etag, checksumCrc32 })
  })

  it('tells nothing of an etag that is not told', () => {
    const answer = '<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>'
    expect(read(writtenReader, answer)).toEqual({ etag: undefined, checksumCrc32: undefined })
  })

  it('tells the parts of an upload, and where the next page begins', () => {
    const part = (number: number): string =>
      `<Part><PartNumber>${number}</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified><ETag>"e${number}"</ETag><Size>10485760</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>`
    const answer = (rest: string): string => `<ListPartsResult ${NAMESPACE}>${part(2)}${part(3)}${rest}</ListPartsResult>`
    const parts = [2, 3].map((number) => ({ number, etag: `"e${number}"`, size: 10_485_760, crc32: 'AAAAAA==' }))
    const marker = '<NextPartNumberMarker>3</NextPartNumberMarker>'
    expect(read(partsReader, answer(`${marker}<IsTruncated>true</IsTruncated>`))).toEqual({ parts, next: '3' })
    expect(read(partsReader, answer(`${marker}<IsTruncated>false</IsTruncated>`))).toEqual({ parts, next: undefined })
    expect(read(partsReader, '<ListPartsResult/>')).toEqual({ parts: [], next: undefined })
    expect(refusal(() => read(partsReader, answer('<Part><PartNumber>x</PartNumber></Part>')))).toMatchObject(REFUSED)
  })

  it('is not a page', () => {
    const readers: readonly (() => AnswerReader<unknown>)[] = [deletionReader, uploadIdReader, writtenReader, partsReader]
    for (const reader of readers) expect(refusal(() => read(reader, PAGE))).toMatchObject(REFUSED)
  })
})
