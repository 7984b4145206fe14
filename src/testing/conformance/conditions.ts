/** Conditions: of several writers exactly one wins, and the others are told. */
import { bytesFor, codeOf, expectError, expectFile, expectFiles, expectNoLeftovers, expectUnchanged, listed } from './assertions.ts'
import { type ConformanceTest, needs, writes } from './conformance-test.ts'
import { expect } from './globals.ts'
import { chunks } from './sources.ts'
import type { Subject } from './subject.ts'

const WRITERS = 50

const ifAbsent = needs(
  (driver) => driver.supports.ifAbsent,
  ({ disk }) => disk.put('b.txt', 'new', { ifAbsent: true }),
)
const ifMatch = needs(
  (driver) => driver.supports.ifMatch,
  ({ disk }) => disk.put('a.txt', 'new', { ifMatch: '"an-etag"' }),
)

export const conditions: readonly ConformanceTest[] = [
  writes(
    'writes with ifAbsent only where nothing is',
    async (t) => {
      expect((await t.disk.put('a.txt', 'first', { ifAbsent: true })).path).toBe('a.txt')
      await expectUnchanged(t, async () => {
        for (const content of ['second', chunks('sec', 'ond')]) {
          await expectError(t.disk.put('a.txt', content, { ifAbsent: true }), 'already_exists', { operation: 'write', path: 'a.txt' })
        }
      })
      await expectFile(t.disk, 'a.txt', 'first')
      await t.disk.delete('a.txt')
      await t.disk.put('a.txt', chunks('th', 'ird'), { ifAbsent: true })
      await expectFile(t.disk, 'a.txt', 'third')
      await expectNoLeftovers(t)
    },
    ifAbsent,
  ),

  writes(
    'lets exactly one of 50 concurrent ifAbsent writes win',
    async (t) => {
      const contents = Array.from({ length: WRITERS }, (_, writer) => bytesFor(1_000 + writer, writer + 1))
      const write = (content: Buffer, writer: number): Promise<unknown> =>
        t.disk.put('a.bin', writer % 2 === 0 ? content : chunks(content.subarray(0, 500), content.subarray(500)), { ifAbsent: true })
      const winner = await onlyWinner(contents.map(write), 'already_exists')
      await expectFile(t.disk, 'a.bin', contents[winner] as Buffer)
      expect(await listed(t.disk)).toEqual(['a.bin'])
      await expectNoLeftovers(t)
    },
    ifAbsent,
  ),

  writes(
    'writes with ifMatch only over the version that has the etag',
    async (t) => {
      const first = await etagOf(t, 'first')
      const { etag } = await t.disk.put('a.txt', 'second', { ifMatch: first })
      if (etag !== undefined) expect((await t.disk.stat('a.txt')).etag).toBe(etag)
      await expectUnchanged(t, async () => {
        for (const content of ['third', chunks('th', 'ird')]) {
          await expectError(t.disk.put('a.txt', content, { ifMatch: first }), 'precondition_failed', { operation: 'write', path: 'a.txt' })
        }
        await expectError(t.disk.put('missing.txt', 'x', { ifMatch: first }), 'precondition_failed', { path: 'missing.txt' })
        await expectError(t.disk.put('a.txt', 'x', { ifMatch: '"no-such-etag"' }), 'precondition_failed')
      })
      await expectFile(t.disk, 'a.txt', 'second')
      await expectNoLeftovers(t)
    },
    ifMatch,
  ),

  writes(
    'lets exactly one of 50 concurrent ifMatch writes win',
    async (t) => {
      const etag = await etagOf(t, 'old')
      const contents = Array.from({ length: WRITERS }, (_, writer) => `writer ${writer}`)
      const writing = contents.map((content, writer) =>
        t.disk.put('a.txt', writer % 2 === 0 ? content : chunks(content), { ifMatch: etag }),
      )
      const winner = await onlyWinner(writing, 'precondition_failed')
      await expectFiles(t.disk, { 'a.txt': contents[winner] as string })
      await expectNoLeftovers(t)
    },
    ifMatch,
  ),

  writes(
    'counts concurrently under ifMatch without losing one',
    async (t) => {
      await t.disk.put('count.txt', '0')
      const increment = async (): Promise<void> => {
        for (;;) {
          const { etag } = await t.disk.stat('count.txt')
          const count = Number(await t.disk.text('count.txt'))
          try {
            await t.disk.put('count.txt', String(count + 1), { ifMatch: etag })
            return
          } catch (error) {
            if (codeOf(error) !== 'precondition_failed') throw error
          }
        }
      }
      await Promise.all(Array.from({ length: 8 }, increment))
      await expectFile(t.disk, 'count.txt', '8')
    },
    ifMatch,
  ),

  writes('refuses conditions that contradict each other', async (t) => {
    await t.disk.put('a.txt', 'old')
    const both = { ifAbsent: true, ifMatch: '"x"' }
    await expectUnchanged(t, () => expectError(t.disk.put('a.txt', 'new', both), 'invalid_argument', { operation: 'write', path: 'a.txt' }))
  }),
]

/** The one that resolves; every other rejects with the code. */
export async function onlyWinner(calls: readonly Promise<unknown>[], code: string): Promise<number> {
  const results = await Promise.allSettled(calls)
  const outcomes = results.map((result) => (result.status === 'fulfilled' ? 'won' : codeOf(result.reason)))
  const lost = outcomes.filter((outcome) => outcome !== 'won')
  expect({ won: outcomes.length - lost.length, lost: [...new Set(lost)] }).toEqual({ won: 1, lost: [code] })
  return outcomes.indexOf('won')
}

/** Writes `a.txt`. @returns its etag, which a store that takes ifMatch has to have */
async function etagOf({ disk }: Subject, content: string): Promise<string> {
  await disk.put('a.txt', content)
  const { etag } = await disk.stat('a.txt')
  expect(typeof etag).toBe('string')
  return etag as string
}
