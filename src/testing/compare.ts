/** Comparisons of content, and how a failed one is told. */

/** An assertion that did not hold. Test runners show `expected` and `actual` side by side. */
export class AssertionError extends Error {
  readonly actual: unknown
  readonly expected: unknown

  constructor(message: string, actual?: unknown, expected?: unknown) {
    super(message)
    Object.defineProperty(this, 'name', { value: 'AssertionError' })
    this.actual = actual
    this.expected = expected
  }
}

const SHOWN_CHARACTERS = 200
const SHOWN_PATHS = 20

export function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Two contents that differ: as text where both are, else where the first byte differs. */
export function describeDifference(expected: Uint8Array, actual: Uint8Array): string {
  const [wanted, got] = [asText(expected), asText(actual)]
  if (wanted !== undefined && got !== undefined) return `Expected: ${excerpt(wanted)}\nThere is: ${excerpt(got)}`
  const length = Math.min(expected.byteLength, actual.byteLength)
  let at = 0
  while (at < length && expected[at] === actual[at]) at++
  return `Expected ${expected.byteLength} bytes, there are ${actual.byteLength}; they differ from byte ${at} on.`
}

function asText(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString('utf8')
  return text.includes('\ufffd') || text.includes('\0') ? undefined : text
}

function excerpt(text: string): string {
  return JSON.stringify(text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`)
}

/** Paths as lines, the first twenty of them. */
export function listPaths(paths: readonly string[]): string {
  if (paths.length === 0) return '  (no files)'
  const lines = paths.slice(0, SHOWN_PATHS).map((path) => `  ${JSON.stringify(path)}`)
  return [...lines, ...(paths.length > SHOWN_PATHS ? [`  … and ${paths.length - SHOWN_PATHS} more`] : [])].join('\n')
}
