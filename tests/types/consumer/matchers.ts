/** Compiled as a user's test: `expect` is that of Jest, of @types/jest or of Vitest; the test puts the import in front. */
import { Storage } from 'stowage'
import { matchers } from 'stowage/testing'

expect.extend(matchers)

export async function asserts(): Promise<void> {
  const disk = Storage.fake('s3')
  await expect(disk).toHaveFile('a.txt')
  await expect(disk).toHaveFile('a.txt', 'content')
  await expect(disk).not.toHaveFile('a.txt', new Uint8Array(1))
  await expect(Storage).toHaveDirectory('a')
  await expect(disk).toHaveVisibility('a.txt', 'public')
  const done: Promise<void> = expect(disk).toHaveContentType('a.txt', 'text/plain')
  await done
  expect(1).toBe(1)
  // @ts-expect-error -- a misspelt matcher
  await expect(disk).toHaveFiel('a.txt')
  // @ts-expect-error -- a word that is none
  await expect(disk).toHaveVisibility('a.txt', 'pubic')
  // @ts-expect-error -- a path is missing
  await expect(disk).toHaveFile()
}
