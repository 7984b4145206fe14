/** Appending and prepending: nobody's bytes are lost. */
import { Buffer } from 'node:buffer'
import type { Driver } from '../../driver.ts'
import { expectError, expectFile, expectNoLeftovers, listed, rejectionOf } from './assertions.ts'
import { type ConformanceTest, needs, writes } from './conformance-test.ts'
import { factsOf, HEADERS, METADATA } from './facts.ts'
import { expect } from './globals.ts'
import { chunks } from './sources.ts'

export const canAppend = ({ append, supports }: Driver): boolean => append !== undefined || supports.ifMatch

const appends = needs(canAppend, ({ disk }) => disk.append('a.txt', 'x'))
const prepends = needs(
  (driver) => driver.supports.ifMatch,
  ({ disk }) => disk.prepend('a.txt', 'x'),
)

export const appending: readonly ConformanceTest[] = [
  writes(
    'appends to a file, and makes the one that is missing',
    async ({ disk }) => {
      expect(await disk.append('a/b.txt', 'one').then(({ path, size }) => ({ path, size }))).toEqual({ path: 'a/b.txt', size: 3 })
      expect((await disk.append('a/b.txt', Buffer.from('two'))).size).toBe(6)
      expect((await disk.append('a/b.txt', chunks('th', 'ree'))).size).toBe(11)
      await disk.append('a/b.txt', '')
      await expectFile(disk, 'a/b.txt', 'onetwothree')
      expect(await listed(disk)).toEqual(['a/', 'a/b.txt'])
    },
    appends,
  ),

  writes(
    'puts the separator between what is there and what is added, and nowhere else',
    async ({ disk }) => {
      await disk.append('a.txt', 'one', { separator: '\n' })
      await disk.append('a.txt', 'two', { separator: '\n' })
      await disk.put('empty.txt', '')
      await disk.append('empty.txt', 'one', { separator: '\n' })
      await expectFile(disk, 'a.txt', 'one\ntwo')
      await expectFile(disk, 'empty.txt', 'one')
    },
    appends,
  ),

  writes(
    'prepends to a file, and makes the one that is missing',
    async ({ disk }) => {
      expect((await disk.prepend('a.txt', 'three')).size).toBe(5)
      await disk.prepend('a.txt', chunks('t', 'wo'), { separator: ', ' })
      expect((await disk.prepend('a.txt', 'one', { separator: ', ' })).size).toBe(15)
      await expectFile(disk, 'a.txt', 'one, two, three')
    },
    prepends,
  ),

  writes(
    'keeps content type and metadata when it appends and prepends',
    async ({ disk, driver }) => {
      const kept = driver.supports.metadata ? { ...HEADERS, metadata: METADATA } : {}
      await disk.put('a.bin', 'b', kept)
      const before = factsOf(await disk.stat('a.bin'))
      await disk.append('a.bin', 'c')
      expect(factsOf(await disk.stat('a.bin'))).toEqual(before)
      await disk.prepend('a.bin', 'a')
      expect(factsOf(await disk.stat('a.bin'))).toEqual(before)
      await expectFile(disk, 'a.bin', 'abc')
    },
    prepends,
  ),

  writes(
    'loses nothing of several who append at once',
    async (t) => {
      const lines = Array.from({ length: 8 }, (_, writer) => `line ${writer}\n`)
      await t.disk.put('log.txt', '')
      await Promise.all(lines.map((line) => t.disk.append('log.txt', line)))
      const text = await t.disk.text('log.txt')
      expect(text.split(/(?<=\n)/).sort()).toEqual(lines)
      await expectNoLeftovers(t)
    },
    appends,
  ),

  writes(
    'keeps what was there when the source of an append fails',
    async (t) => {
      await t.disk.put('a.txt', 'old')
      await rejectionOf(t.disk.append('a.txt', failing()))
      const text = await t.disk.text('a.txt')
      expect(['old', 'oldnew'].includes(text)).toBe(true) // what came before the failure may stay, and nothing else
      await rejectionOf(t.disk.prepend('a.txt', failing()))
      await expectFile(t.disk, 'a.txt', text)
      await expectNoLeftovers(t)
    },
    appends,
  ),

  writes(
    'is already_exists for an append to a directory, where directories are real',
    async ({ disk, driver }) => {
      await disk.put('photos/a.txt', 'x')
      if (driver.directories === undefined) {
        await disk.append('photos', 'file')
        await expectFile(disk, 'photos', 'file')
        return
      }
      await expectError(disk.append('photos', 'x'), 'already_exists', { operation: 'append', path: 'photos' })
      await expectError(disk.append('photos/a.txt/b', 'x'), 'already_exists', { operation: 'append', path: 'photos/a.txt/b' })
      await expectFile(disk, 'photos/a.txt', 'x')
    },
    appends,
  ),
]

async function* failing(): AsyncGenerator<string> {
  yield 'new'
  await Promise.resolve()
  throw new Error('the source broke')
}
