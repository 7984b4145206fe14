/** Pages of ListObjectsV2: of a prefix that ends in `n<count>` or `n<count>/` that many made-up objects, else the stored ones. Pages are made once. */

const PAGES = new Map<string, Buffer>()
const MOST_PAGES = 1_000
/** What a page depends on: clients that ask for the same in other words share it. */
const ASKED = ['prefix', 'delimiter', 'start-after', 'max-keys', 'continuation-token', 'encoding-type']

interface Keys {
  readonly total: number
  /** Where to look for keys after this one; not later than the first. */
  startOf(after: string): number
  from(index: number, most: number): readonly string[]
}

export function listPage(query: string, stored: readonly string[]): Buffer {
  const parameters = new URLSearchParams(query)
  const prefix = parameters.get('prefix') ?? ''
  const count = /(?:^|\/)n(\d+)\/?$/.exec(prefix)?.[1]
  if (count === undefined) return page(parameters, inOrder(stored, prefix))
  const asked = ASKED.map((name) => parameters.get(name) ?? '').join('\n')
  const known = PAGES.get(asked)
  if (known !== undefined) return known
  const made = page(parameters, madeUp(prefix.replace(/\/?$/, '/'), Number(count)))
  if (PAGES.size < MOST_PAGES) PAGES.set(asked, made)
  return made
}

function inOrder(stored: readonly string[], prefix: string): Keys {
  const keys = stored.filter((key) => key.startsWith(prefix)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return { total: keys.length, startOf: () => 0, from: (index) => keys.slice(index) }
}

/** `file-000007.txt`: in the order of their numbers. */
function madeUp(directory: string, total: number): Keys {
  return {
    total,
    startOf: (after) => (after.startsWith(directory) ? Number(/file-(\d+)/.exec(after)?.[1] ?? 0) : 0),
    from: (index, most) =>
      Array.from(
        { length: Math.min(most, total - index) },
        (_, offset) => `${directory}file-${String(index + offset).padStart(6, '0')}.txt`,
      ),
  }
}

function page(parameters: URLSearchParams, keys: Keys): Buffer {
  const prefix = parameters.get('prefix') ?? ''
  const delimiter = parameters.get('delimiter') ?? ''
  const after = parameters.get('start-after') ?? ''
  const most = Math.min(1_000, Number(parameters.get('max-keys') ?? 1_000))
  let at = Number(parameters.get('continuation-token') ?? keys.startOf(after))
  const contents: string[] = []
  const prefixes = new Set<string>()
  while (at < keys.total && contents.length + prefixes.size < most) {
    for (const key of keys.from(at, most - contents.length - prefixes.size)) {
      const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      const common = cut === -1 ? '' : key.slice(0, cut + delimiter.length)
      if (!prefixes.has(common) && contents.length + prefixes.size >= most) break
      at++
      if (key <= after) continue
      if (common === '') contents.push(item(encoded(key, parameters)))
      else prefixes.add(common)
    }
  }
  const truncated = at < keys.total
  const text = [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bench</Name>',
    `<Prefix>${encoded(prefix, parameters)}</Prefix><KeyCount>${contents.length + prefixes.size}</KeyCount><MaxKeys>${most}</MaxKeys>`,
    parameters.get('encoding-type') === 'url' ? '<EncodingType>url</EncodingType>' : '',
    `<IsTruncated>${truncated}</IsTruncated>`,
    truncated ? `<NextContinuationToken>${at}</NextContinuationToken>` : '',
    ...contents,
    ...Array.from(prefixes, (common) => `<CommonPrefixes><Prefix>${encoded(common, parameters)}</Prefix></CommonPrefixes>`),
    '</ListBucketResult>',
  ]
  return Buffer.from(text.join(''))
}

function item(key: string): string {
  return `<Contents><Key>${key}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>1024</Size><StorageClass>STANDARD</StorageClass></Contents>`
}

function encoded(text: string, parameters: URLSearchParams): string {
  if (parameters.get('encoding-type') === 'url') return encodeURIComponent(text).replaceAll('%2F', '/')
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
