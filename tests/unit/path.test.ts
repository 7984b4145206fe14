import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { posix } from 'node:path'
import {
  basename,
  checkSegment,
  compareUtf8,
  directoryPrefix,
  dirname,
  encodePath,
  encodeSegment,
  extname,
  joinPath,
  normalizeFilePath,
  normalizePath,
  parentsOf,
} from '../../src/path.ts'
import { InvalidPathError, isStorageError } from '../../src/errors.ts'

const FOLDED: readonly (readonly [string, string])[] = [
  ['', ''],
  ['/', ''],
  ['///', ''],
  ['.', ''],
  ['./', ''],
  ['/path/to/dir/.', 'path/to/dir'],
  ['/dirname/', 'dirname'],
  ['dirname/..', ''],
  ['dirname./', 'dirname.'],
  ['dirname/./', 'dirname'],
  ['./dir/../././', ''],
  ['/something/deep/../../dirname', 'dirname'],
  ['/dirname//subdir///subsubdir', 'dirname/subdir/subsubdir'],
  ['example/path/..txt', 'example/path/..txt'],
  ['a/../b', 'b'],
  ['a/...', 'a/...'],
  ['a/.hidden', 'a/.hidden'],
  ['..a/b..', '..a/b..'],
  ['C:/dirname', 'C:/dirname'],
  ['~/a', '~/a'],
  ['%2e%2e/a', '%2e%2e/a'],
  [' a / b ', ' a / b '],
  ['é公司👩‍👩‍👧', 'é公司👩‍👩‍👧'],
  ['e\u0301', 'e\u0301'],
  ['a\u200fb', 'a\u200fb'],
  ["+ % # ? & ' ( ) @", "+ % # ? & ' ( ) @"],
]

const LEAVING = ['..', '../', '/..', './..', 'a/../..', 'something/../../../hehe', '/something/../../..', '../a', 'a/b/../../../a', '/../a']

const FORBIDDEN = [
  '\\',
  'a\\b',
  '..\\a',
  'something\\..\\..',
  '\\\\some\\shared\\\\drive',
  'C:\\dirname',
  'some\0/path.txt',
  's\ti.php',
  'a\nb',
  'a\rb',
  'a\u0001',
  'a\u001f',
  'a\u007f',
  'a\u0080',
  'a\u0085b',
  'a\u009f',
  'a\ud800',
  'a\udc00b',
  '\ud83d/\ude00',
]

describe('normalising a path', () => {
  it.each(FOLDED)('folds %j to %j', (path, normal) => {
    expect(normalizePath(path)).toBe(normal)
  })

  it.each([...LEAVING, ...FORBIDDEN])('refuses %j', (path) => {
    expect(() => normalizePath(path)).toThrow(InvalidPathError)
  })

  it.each([undefined, null, 5, {}, ['a'], Buffer.from('a'), new URL('file:///a')])('refuses %p, which is no string', (path) => {
    expect(() => normalizePath(path as never)).toThrow(InvalidPathError)
  })

  it('keeps the refused path on the error, and no raw control character in the message', () => {
    expect.assertions(2)
    try {
      normalizePath('a\u0007b')
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_path', path: 'a\u0007b' })
      expect((error as Error).message).not.toContain('\u0007')
    }
  })

  it('refuses the root where a file has to be named', () => {
    for (const path of ['', '/', '.', 'a/..']) expect(() => normalizeFilePath(path)).toThrow(InvalidPathError)
    expect(normalizeFilePath('/a/')).toBe('a')
  })
})

/** Paths as attackers and accidents make them: pieces that mean something, and any characters at all. */
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('..', '.', '', 'a', 'b', '...', '..a', ' ', '%2e%2e', '~', 'C:', '․․', '．．', '\u200b..', '..\u200b'),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 4 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
)
const anyPath = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('/'))

describe('any path', () => {
  const ROOT = '/srv/disk'

  it('stays below the root once it is accepted, is in normal form, and is left as it is when normalised again', () => {
    let accepted = 0
    fc.assert(
      fc.property(anyPath, (path) => {
        let normal: string
        try {
          normal = normalizePath(path)
        } catch (error) {
          return isStorageError(error) && error.code === 'invalid_path'
        }
        accepted++
        const resolved = posix.resolve(ROOT, normal)
        const inside = resolved === ROOT || resolved.startsWith(`${ROOT}/`)
        return (
          inside && resolved === posix.join(ROOT, normal) && normalizePath(normal) === normal && !/(^|\/)\.{0,2}(\/|$)/.test(normal || 'x')
        )
      }),
      { numRuns: 100_000 },
    )
    expect(accepted).toBeGreaterThan(10_000)
  }, 60_000)

  it('is what a POSIX system would resolve it to', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', '', 'a', 'b', 'c.d'), { maxLength: 8 }), (segments) => {
        const path = segments.join('/')
        let depth = 0
        let leaves = false
        for (const segment of segments) {
          if (segment === '..') depth--
          else if (segment !== '' && segment !== '.') depth++
          if (depth < 0) leaves = true
        }
        if (leaves) expect(() => normalizePath(path)).toThrow(InvalidPathError)
        else expect(normalizePath(path)).toBe(posix.resolve('/', path).slice(1))
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('a single segment', () => {
  it.each(['', '.', '..', '/', 'a/b', '/a', 'a/', '../a', 'a\\b', 'a\0', 'a\n', '\ud800'])('refuses %j', (name) => {
    expect(() => checkSegment(name)).toThrow(InvalidPathError)
  })

  it.each([undefined, null, 1, {}])('refuses %p', (name) => {
    expect(() => checkSegment(name as never)).toThrow(InvalidPathError)
  })

  it('is kept as it is', () => {
    for (const name of ['a.txt', '...', '..a', ' ', '公司', 'a:b']) expect(checkSegment(name)).toBe(name)
  })
})

describe('parts of a path', () => {
  it('joins without a doubled slash', () => {
    expect([joinPath('', 'a'), joinPath('a', ''), joinPath('a', 'b'), joinPath('', '')]).toEqual(['a', 'a', 'a/b', ''])
  })

  it('names directory, name and extension', () => {
    expect([dirname('a/b/c.txt'), dirname('a'), dirname('')]).toEqual(['a/b', '', ''])
    expect([basename('a/b/c.txt'), basename('a'), basename('')]).toEqual(['c.txt', 'a', ''])
    expect(['a/b.TXT', 'a.d/b', '.env', 'a.', 'a.tar.gz', 'a'].map(extname)).toEqual(['.txt', '', '', '', '.gz', ''])
  })

  it('lists the directories above, nearest first', () => {
    expect(parentsOf('a/b/c')).toEqual(['a/b', 'a'])
    expect(parentsOf('a')).toEqual([])
  })

  it('ends a directory with a slash, so that "photos" never matches "photos2"', () => {
    expect(directoryPrefix('photos')).toBe('photos/')
    expect(directoryPrefix('')).toBe('')
  })
})

describe('paths in URLs', () => {
  it('encodes every segment and keeps the slashes', () => {
    expect(encodePath("a b/+%#?&'()@/é")).toBe('a%20b/%2B%25%23%3F%26%27%28%29%40/%C3%A9')
    expect(encodeSegment('a/b')).toBe('a%2Fb')
  })

  it('round-trips every accepted path', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        let normal: string
        try {
          normal = normalizePath(path)
        } catch {
          return
        }
        const encoded = encodePath(normal)
        expect(encoded).toMatch(/^[\w.~%/-]*$/)
        expect(encoded.split('/').map(decodeURIComponent).join('/')).toBe(normal)
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('the order of paths', () => {
  it('is that of their UTF-8 bytes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ unit: fc.constantFrom('a', '/', '.', '\ue000', '\uffff', '😀', 'é'), maxLength: 5 }),
    )
    fc.assert(
      fc.property(text, text, (a, b) => Math.sign(compareUtf8(a, b)) === Buffer.compare(Buffer.from(a), Buffer.from(b))),
      { numRuns: 20_000 },
    )
  })

  it('puts characters beyond U+FFFF after all others', () => {
    expect(['😀', '\uffff', '\ue000', 'z'].sort(compareUtf8)).toEqual(['z', '\ue000', '\uffff', '😀'])
  })
})
