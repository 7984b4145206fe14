/** Copying and moving: what goes along, what stays, and that nothing is ever lost. */
import type { Disk } from '../../disk.ts'
import { faulty } from '../faulty.ts'
import { bytesFor, codeOf, expectError, expectFile, expectFiles, expectNoLeftovers, expectUnchanged } from './assertions.ts'
import { onlyWinner } from './conditions.ts'
import { type ConformanceTest, needs, writes } from './conformance-test.ts'
import { factsOf, HEADERS, METADATA } from './facts.ts'
import { expect } from './globals.ts'
import type { Subject } from './subject.ts'

const ifAbsent = needs(
  (driver) => driver.supports.ifAbsent,
  ({ disk }) => disk.copy('a.txt', 'b.txt', { ifAbsent: true }),
)

const BOTH = ['copy', 'move'] as const

export const copying: readonly ConformanceTest[] = [
  writes('copies a file, with the parents that its target needs, and leaves the source', async (t) => {
    const large = bytesFor(1024 * 1024 + 1)
    await t.disk.put('a.txt', 'content')
    await t.disk.copy('a.txt', 'b/c/d.txt')
    await expectFiles(t.disk, { 'a.txt': 'content', 'b/c/d.txt': 'content' })
    await t.disk.put('large.bin', large)
    await t.disk.copy('large.bin', 'b/large.bin')
    await expectFile(t.disk, 'b/large.bin', large)
    await t.disk.put('empty', '')
    await t.disk.copy('empty', 'b/empty')
    await expectFile(t.disk, 'b/empty', '')
    await t.disk.put('a.txt', 'changed')
    await expectFile(t.disk, 'b/c/d.txt', 'content')
    await expectNoLeftovers(t)
  }),

  writes('moves a file, with the parents that its target needs', async (t) => {
    const large = bytesFor(1024 * 1024 + 1)
    await t.disk.put('a.txt', 'content')
    await t.disk.put('large.bin', large)
    await t.disk.move('a.txt', 'b/c/d.txt')
    await t.disk.move('large.bin', 'b/large.bin')
    await expectFile(t.disk, 'b/large.bin', large)
    expect(await t.disk.allFiles()).toEqual(['b/c/d.txt', 'b/large.bin'])
    await expectFile(t.disk, 'b/c/d.txt', 'content')
    expect(await t.disk.missing('a.txt')).toBe(true)
    await expectNoLeftovers(t)
  }),

  writes('replaces the target of a copy and of a move', async ({ disk }) => {
    for (const verb of BOTH) {
      await disk.put('from.txt', verb)
      await disk.put('to.txt', 'a longer file that was there')
      await disk[verb]('from.txt', 'to.txt')
      await expectFile(disk, 'to.txt', verb)
      expect(await disk.exists('from.txt')).toBe(verb === 'copy')
    }
  }),

  writes('keeps content type, metadata and visibility in a copy and in a move', async ({ disk, driver }) => {
    const kept = driver.supports.metadata ? { ...HEADERS, metadata: METADATA } : {}
    for (const verb of BOTH) {
      for (const visibility of driver.visibility === undefined ? [undefined] : (['public', 'private'] as const)) {
        await disk.put('from.bin', 'x', { ...kept, visibility })
        const before = factsOf(await disk.stat('from.bin'))
        await disk[verb]('from.bin', 'to.other')
        // Without metadata the type is what the extension says, and the target has another.
        if (driver.supports.metadata) expect(factsOf(await disk.stat('to.other'))).toEqual(before)
        if (visibility !== undefined) expect(await disk.visibility('to.other')).toBe(visibility)
      }
    }
  }),

  writes('sets what a copy or a move is told to set, and keeps the rest', async ({ disk, driver }) => {
    if (!driver.supports.metadata) return copiesWithVisibility(disk, driver.visibility !== undefined)
    for (const verb of BOTH) {
      await disk.put('from.bin', 'x', { ...HEADERS, metadata: METADATA })
      await disk[verb]('from.bin', 'to.bin', { contentType: 'image/webp' })
      expect(factsOf(await disk.stat('to.bin'))).toEqual({ ...HEADERS, contentType: 'image/webp', metadata: METADATA })
      await disk[verb]('to.bin', 'last.bin', { metadata: { other: 'value' } })
      expect(factsOf(await disk.stat('last.bin'))).toEqual({ ...HEADERS, contentType: 'image/webp', metadata: { other: 'value' } })
    }
    await copiesWithVisibility(disk, driver.visibility !== undefined)
  }),

  writes('is not_found for a source that is missing or a directory, and leaves the target', async (t) => {
    await t.disk.put('to.txt', 'old')
    await t.disk.put('photos/a.txt', 'x')
    await expectUnchanged(t, async () => {
      for (const verb of BOTH) {
        await expectError(t.disk[verb]('missing', 'to.txt'), 'not_found', { operation: verb, path: 'missing' })
        await expectError(t.disk[verb]('photos', 'to.txt'), 'not_found', { operation: verb, path: 'photos' })
        await expectError(t.disk[verb]('missing', 'new/directory/b.txt'), 'not_found', { operation: verb, path: 'missing' })
        await expectError(t.disk[verb]('missing', 'missing'), 'not_found', { operation: verb, path: 'missing' })
      }
    })
  }),

  writes('does nothing for a copy or a move of a file onto itself', async (t) => {
    await t.disk.put('a/b.txt', 'content')
    await expectUnchanged(t, async () => {
      for (const verb of BOTH) {
        await t.disk[verb]('a/b.txt', 'a/b.txt')
        await t.disk[verb]('a/b.txt', '/a//x/../b.txt')
      }
    })
    await expectFile(t.disk, 'a/b.txt', 'content')
  }),

  writes(
    'copies and moves with ifAbsent only where nothing is',
    async (t) => {
      await t.disk.put('from.txt', 'new')
      await t.disk.put('to.txt', 'old')
      await expectUnchanged(t, async () => {
        for (const verb of BOTH) {
          const error = { operation: verb, path: 'to.txt' } as const
          await expectError(t.disk[verb]('from.txt', 'to.txt', { ifAbsent: true }), 'already_exists', error)
          await expectError(t.disk[verb]('from.txt', 'from.txt', { ifAbsent: true }), 'already_exists', {
            operation: verb,
            path: 'from.txt',
          })
        }
      })
      await t.disk.copy('from.txt', 'copy.txt', { ifAbsent: true })
      await t.disk.move('from.txt', 'moved.txt', { ifAbsent: true })
      await expectFiles(t.disk, { 'copy.txt': 'new', 'moved.txt': 'new', 'to.txt': 'old' })
      await expectNoLeftovers(t)
    },
    ifAbsent,
  ),

  writes(
    'lets exactly one of several concurrent ifAbsent copies win',
    async (t) => {
      const sources = Array.from({ length: 20 }, (_, index) => `from/${index}`)
      for (const path of sources) await t.disk.put(path, path)
      const winner = await onlyWinner(
        sources.map((path) => t.disk.copy(path, 'to', { ifAbsent: true })),
        'already_exists',
      )
      await expectFile(t.disk, 'to', sources[winner] as string)
      await expectNoLeftovers(t)
    },
    ifAbsent,
  ),

  writes('is already_exists for a target in the way of directories, where those are real, and keeps the source', async (t) => {
    await t.disk.put('from.txt', 'x')
    await t.disk.put('photos/a.txt', 'y')
    if (t.driver.directories === undefined) {
      await t.disk.copy('from.txt', 'photos')
      await expectFiles(t.disk, { 'from.txt': 'x', photos: 'x', 'photos/a.txt': 'y' })
      return
    }
    await expectUnchanged(t, async () => {
      for (const verb of BOTH) {
        for (const to of ['photos', 'photos/a.txt/b.txt']) {
          await expectError(t.disk[verb]('from.txt', to), 'already_exists', { operation: verb, path: to })
        }
      }
    })
    await expectNoLeftovers(t)
  }),

  writes('loses nothing of a file that several move at once', async (t) => {
    await t.disk.put('from.txt', 'precious')
    const targets = Array.from({ length: 8 }, (_, index) => `to/${index}.txt`)
    const results = await Promise.allSettled(targets.map((to) => t.disk.move('from.txt', to)))
    const lost = results.filter((result) => result.status === 'rejected').map((result) => codeOf(result.reason))
    expect(lost.filter((code) => code !== 'not_found' && code !== 'precondition_failed')).toEqual([])
    const files = await t.disk.allFiles()
    expect(files.length > 0).toBe(true)
    for (const path of files) await expectFile(t.disk, path, 'precious')
  }),

  writes('loses nothing that is written to the source while it moves', async (t) => {
    for (let round = 0; round < 10; round++) {
      await t.disk.put('from.txt', 'old')
      const moving = t.disk.move('from.txt', 'to.txt')
      const [, written] = await Promise.allSettled([moving, t.disk.put('from.txt', `new ${round}`)])
      if (written.status === 'rejected') throw written.reason
      const left = [await t.disk.getOrNull('from.txt'), await t.disk.getOrNull('to.txt')].map(String)
      expect({ round, kept: left.includes(`new ${round}`) }).toEqual({ round, kept: true })
    }
  }),

  writes('copies and moves to another disk of its kind, with all that goes along', async (t) => {
    const { disk: other } = await t.another()
    const kept = t.driver.supports.metadata ? { ...HEADERS, metadata: METADATA } : {}
    await t.disk.put('a/b.bin', 'content', kept)
    const before = factsOf(await t.disk.stat('a/b.bin'))
    await t.disk.copyTo(other, 'a/b.bin', 'copied.bin')
    expect(factsOf(await other.stat('copied.bin'))).toEqual(before)
    await t.disk.moveTo(other, 'a/b.bin')
    expect(factsOf(await other.stat('a/b.bin'))).toEqual(before)
    await expectFiles(t.disk, {})
    await expectFiles(other, { 'a/b.bin': 'content', 'copied.bin': 'content' })
  }),

  writes('copies and moves between itself and a part of itself', async ({ disk }) => {
    const part = disk.scope('part')
    await disk.put('a.txt', 'one')
    await disk.copyTo(part, 'a.txt', 'b.txt')
    await disk.moveTo(part, 'a.txt')
    await expectFiles(disk, { 'part/a.txt': 'one', 'part/b.txt': 'one' })
    await part.moveTo(disk, 'b.txt')
    await expectFiles(disk, { 'b.txt': 'one', 'part/a.txt': 'one' })
  }),

  writes('loses nothing of a file that moves onto itself by way of another disk', async ({ disk }) => {
    await disk.put('part/a.txt', 'precious')
    const moves = [
      () => disk.scope('part').moveTo(disk, 'a.txt', 'part/a.txt'),
      () => disk.moveTo(disk.scope('part'), 'part/a.txt', 'a.txt'),
      () => disk.moveTo(disk.scope(''), 'part/a.txt'),
    ]
    for (const move of moves) {
      await move().catch((error: unknown) => expect(codeOf(error)).toBe('precondition_failed')) // where nobody can tell that both are one
      await expectFiles(disk, { 'part/a.txt': 'precious' })
    }
  }),

  writes('keeps the source when the other disk fails to take it', async (t) => {
    await keepsWhatCannotBeTaken(t, await t.another())
  }),
]

async function keepsWhatCannotBeTaken(t: Subject, { disk: other }: Subject): Promise<void> {
  await t.disk.put('a.txt', 'precious')
  for (const operation of ['write', 'copy', 'move'] as const) {
    const failing = other.with((driver) => faulty(driver, { operation }))
    const moved = await t.disk.moveTo(failing, 'a.txt').then(
      () => true,
      () => false,
    )
    await expectFile(moved ? other : t.disk, 'a.txt', 'precious') // stores that share one may take it another way
    if (moved) await other.moveTo(t.disk, 'a.txt')
  }
}

async function copiesWithVisibility(disk: Disk, hasVisibility: boolean): Promise<void> {
  const copy = disk.put('from.txt', 'x').then(() => disk.copy('from.txt', 'to.txt', { visibility: 'public' }))
  if (!hasVisibility) return expectError(copy, 'unsupported', { operation: 'copy', path: 'from.txt' })
  await copy
  expect(await disk.visibility('to.txt')).toBe('public')
}
