/** Deleting files and directories: what was asked for goes, nothing else, and whoever could not is told of. */
import { isStorageError, type PartialFailureError, type StorageError } from '../../errors.ts'
import { expectError, expectFile, expectFiles, expectUnchanged, listed, putAll, rejectionOf } from './assertions.ts'
import { type ConformanceTest, writes } from './conformance-test.ts'
import { expect } from './globals.ts'
import type { Subject } from './subject.ts'

const MANY = 1_100 // more than S3 takes in one request

export const deleting: readonly ConformanceTest[] = [
  writes('deletes one file, and is fine with one that is missing', async (t) => {
    await putAll(t.disk, ['a.txt', 'b.txt', 'c/d.txt'])
    await t.disk.delete('a.txt')
    await t.disk.delete('c//d.txt')
    expect(await t.disk.allFiles()).toEqual(['b.txt'])
    await expectUnchanged(t, async () => {
      await t.disk.delete('a.txt')
      await t.disk.delete('never/was/here.txt')
      await t.disk.delete('b.txt/below')
      await t.disk.delete([])
    })
  }),

  writes('deletes many, from every kind of iterable, the missing among them', async ({ disk }) => {
    await putAll(disk, ['ab', 'a', 'b', 'c/1', 'c/2', 'd'])
    await disk.delete('ab')
    expect(await disk.allFiles()).toEqual(['a', 'b', 'c/1', 'c/2', 'd'])
    await disk.delete(new Set(['a', 'missing', 'a']))
    await disk.delete(each('b', 'c/1'))
    expect(await disk.allFiles()).toEqual(['c/2', 'd'])
    await disk.delete(['c/2', 'd', 'd'])
    expect(await disk.allFiles()).toEqual([])
  }),

  writes('deletes more than a thousand at once', async ({ disk }) => {
    const paths = Array.from({ length: MANY }, (_, index) => `many/${String(index).padStart(4, '0')}`)
    await putAll(disk, [...paths, 'kept.txt'])
    await disk.delete(paths)
    expect(await disk.allFiles()).toEqual(['kept.txt'])
  }),

  writes('does not delete a directory, nor what begins with the same letters', async ({ disk }) => {
    await putAll(disk, ['photos/a.txt', 'photos2', 'photos.txt'])
    await disk.delete('photos')
    expect(await disk.allFiles()).toEqual(['photos.txt', 'photos/a.txt', 'photos2'])
  }),

  writes('says of a file that it could not delete it, and leaves it', async (t) => {
    await putAll(t.disk, ['a.txt', 'b/locked.txt', 'c.txt'])
    if (t.store.failDeletes === undefined) return deletesAll(t)
    await t.store.failDeletes('b/locked.txt')
    const single = await rejectionOf(t.disk.delete('b/locked.txt'), 'the delete of a file that the store does not let go')
    const { operation, path } = single as StorageError
    expect({ ours: isStorageError(single), operation, path }).toEqual({ ours: true, operation: 'delete', path: 'b/locked.txt' })
    await expectFile(t.disk, 'b/locked.txt', 'b/locked.txt')
  }),

  writes('says which files of many it could not delete, and deletes the others', async (t) => {
    await putAll(t.disk, ['a.txt', 'b/locked.txt', 'c.txt'])
    if (t.store.failDeletes === undefined) return deletesAll(t)
    await t.store.failDeletes('b/locked.txt')
    const error = await rejectionOf(t.disk.delete(['a.txt', 'b/locked.txt', 'missing', 'c.txt']), 'a delete that fails for one of many')
    const { code, failures = [] } = error as Partial<PartialFailureError>
    expect({ code, failed: failures.map(({ path }) => path) }).toEqual({ code: 'partial_failure', failed: ['b/locked.txt'] })
    expect(failures.map((failure) => failure.error.path)).toEqual(['b/locked.txt'])
    await expectFiles(t.disk, { 'b/locked.txt': 'b/locked.txt' })
  }),

  writes('does not say that a directory is gone when a file of it is not', async (t) => {
    await putAll(t.disk, ['b/a.txt', 'b/locked.txt'])
    if (t.store.failDeletes === undefined) return deletesAll(t)
    await t.store.failDeletes('b/locked.txt')
    const error = await rejectionOf(t.disk.deleteDirectory('b'), 'the delete of a directory with a file that cannot be deleted')
    expect((error as StorageError).operation).toBe('deleteDirectory')
    await expectFile(t.disk, 'b/locked.txt', 'b/locked.txt')
  }),

  writes('deletes a directory with all it holds, and tells how many files those were', async ({ disk }) => {
    await putAll(disk, ['photos/a.txt', 'photos/2024/b.txt', 'photos/2024/05/c.txt', 'photos2/d.txt', 'photos.txt'])
    expect(await disk.deleteDirectory('photos')).toEqual({ deleted: 3 })
    expect(await listed(disk)).toEqual(['photos.txt', 'photos2/', 'photos2/d.txt'])
    expect(await disk.directoryExists('photos')).toBe(false)
    expect(await disk.deleteDirectory('photos')).toEqual({ deleted: 0 })
    expect(await disk.deleteDirectory('no/such/directory')).toEqual({ deleted: 0 })
  }),

  writes('does not touch users/10 when it deletes users/1', async ({ disk }) => {
    await putAll(disk, ['users/1/a.txt', 'users/10/b.txt', 'users/1.txt', 'users/100'])
    expect(await disk.deleteDirectory('users/1')).toEqual({ deleted: 1 })
    expect(await disk.allFiles()).toEqual(['users/1.txt', 'users/10/b.txt', 'users/100'])
  }),

  writes('deletes a directory of more than a page', async ({ disk }) => {
    await putAll(disk, ['kept.txt', ...Array.from({ length: MANY }, (_, index) => `many/${index % 10}/${index}`)])
    expect(await disk.deleteDirectory('many')).toEqual({ deleted: MANY })
    expect(await listed(disk)).toEqual(['kept.txt'])
  }),

  writes('leaves a file that is named as a directory', async ({ disk }) => {
    await disk.put('a/file.txt', 'x')
    expect(await disk.deleteDirectory('a/file.txt')).toEqual({ deleted: 0 })
    await expectFile(disk, 'a/file.txt', 'x')
  }),

  writes('empties the whole disk only when it is told to', async (t) => {
    await putAll(t.disk, ['a.txt', 'b/c.txt'])
    await expectUnchanged(t, async () => {
      for (const root of ['', '/', './', 'a/..']) {
        await expectError(t.disk.deleteDirectory(root), 'invalid_argument', { operation: 'deleteDirectory' })
      }
    })
    expect(await t.disk.deleteDirectory('', { allowRoot: true })).toEqual({ deleted: 2 })
    expect(await listed(t.disk)).toEqual([])
    await t.disk.put('a.txt', 'usable again')
    await expectFile(t.disk, 'a.txt', 'usable again')
  }),

  writes('makes directories with their parents, as often as asked', async (t) => {
    await t.disk.makeDirectory('a/b/c')
    await t.disk.makeDirectory('a/b/c/')
    await t.disk.makeDirectory('')
    expect(await listed(t.disk)).toEqual(t.driver.directories === undefined ? [] : ['a/', 'a/b/', 'a/b/c/'])
    if (t.driver.directories === undefined) return
    expect([await t.disk.directoryExists('a/b'), await t.disk.fileExists('a/b'), await t.disk.exists('a/b/c')]).toEqual([true, false, true])
    await t.disk.put('file', 'x')
    await expectUnchanged(t, async () => {
      await expectError(t.disk.makeDirectory('file'), 'already_exists', { operation: 'makeDirectory', path: 'file' })
      await expectError(t.disk.makeDirectory('file/below'), 'already_exists', { operation: 'makeDirectory', path: 'file/below' })
    })
  }),

  writes('has a derived directory only as long as it has files, and lists what it says is there', async ({ disk, driver }) => {
    await disk.put('a/b.txt', 'x')
    await disk.delete('a/b.txt')
    const there = await disk.directoryExists('a')
    if (driver.directories === undefined) expect(there).toBe(false)
    expect(await listed(disk)).toEqual(there ? ['a/'] : [])
    expect(await disk.deleteDirectory('a')).toEqual({ deleted: 0 })
    expect([await disk.directoryExists('a'), await listed(disk)]).toEqual([false, []])
  }),
]

/** A store that cannot be made to fail: what it says it deleted is gone. */
async function deletesAll({ disk }: Subject): Promise<void> {
  await disk.delete(await disk.allFiles())
  await expectFiles(disk, {})
}

async function* each(...paths: readonly string[]): AsyncGenerator<string> {
  yield* paths
}
