/** Pages of ListObjectsV2: of a prefix that ends in `n<count>` or `n<count>/` that many made-up objects, else the stored ones. Pages are made once. */

const PAGES = new Map<string, string>()
const MOST_PAGES = 1_000

export function listPage(query: string, stored: readonly string[]): string {
  const parameters = new URLSearchParams(query)
  const prefix = parameters.get('prefix') ?? ''
  const count = /(?:^|\/)n(\d+)\/?$/.exec(prefix)?.[1]
  if (count === undefined) return page(parameters, (from) => sorted(stored, prefix).slice(from), stored.length)
  const known = PAGES.get(query)
  if (known !== undefined) return known
  const made = page(parameters, (from, most) => madeUp(prefix, from, Math.min(most, Number(count) - from)), Number(count))
  if (PAGES.size < MOST_PAGES) PAGES.set(query, made)
  return made
}

function sorted(stored: readonly string[], prefix: string): string[] {
  return stored.filter((key) => key.startsWith(prefix)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** `file-000007.txt`: in the order of their numbers. */
function madeUp(prefix: string, from: number, count: number): string[] {
  return Array.from(
    { length: Math.max(0, count) },
    (_, index) => `${prefix.replace(/\/?$/, '/')}file-${String(from + index).padStart(6, '0')}.txt`,
  )
}

function page(parameters: URLSearchParams, keys: (from: number, most: number) => string[], total: number): string {
  const prefix = parameters.get('prefix') ?? ''
  const delimiter = parameters.get('delimiter') ?? ''
  const after = parameters.get('start-after') ?? ''
  const most = Math.min(1_000, Number(parameters.get('max-keys') ?? 1_000))
  let at = Number(parameters.get('continuation-token') ?? 0)
  const contents: string[] = []
  const prefixes = new Set<string>()
  while (at < total && contents.length + prefixes.size < most) {
    const batch = keys(at, most - contents.length - prefixes.size)
    if (batch.length === 0) break
    for (const key of batch) {
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      const common = cut === -1 ? '' : key.slice(0, cut + delimiter.length)
      if (!prefixes.has(common) && contents.length + prefixes.size >= most) break
      at++
      if (key <= after) continue
      if (common === '') contents.push(item(encoded(key, parameters)))
      else prefixes.add(common)
    }
  }
  const truncated = at < total && keys(at, 1).length > 0
  return [
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bench</Name>',
    `<Prefix>${encoded(prefix, parameters)}</Prefix><KeyCount>${contents.length + prefixes.size}</KeyCount><MaxKeys>${most}</MaxKeys>`,
    parameters.get('encoding-type') === 'url' ? '<EncodingType>url</EncodingType>' : '',
    `<IsTruncated>${truncated}</IsTruncated>`,
    truncated ? `<NextContinuationToken>${at}</NextContinuationToken>` : '',
    ...contents,
    ...Array.from(prefixes, (common) => `<CommonPrefixes><Prefix>${encoded(common, parameters)}</Prefix></CommonPrefixes>`),
    '</ListBucketResult>',
  ].join('')
}

function item(key: string): string {
  return `<Contents><Key>${key}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>1024</Size><StorageClass>STANDARD</StorageClass></Contents>`
}

function encoded(text: string, parameters: URLSearchParams): string {
  if (parameters.get('encoding-type') === 'url') return encodeURIComponent(text).replaceAll('%2F', '/')
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
