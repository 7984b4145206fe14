/** The stock `age` tool opens what an encrypted disk wrote with `recovery`, and the disk opens what the tool wrote. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { encrypted } from '../../src/decorators/encrypted/encrypted.ts'
import { recoveryIdentity } from '../../src/decorators/encrypted/identities.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import { Disk } from '../../src/disk.ts'
import { LocalDriver } from '../../src/drivers/local/local-driver.ts'

const LENGTHS = [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_003]
const key = generateKey()
let folder: string
let identityFile: string

function age(args: readonly string[], input?: Uint8Array): Buffer {
  try {
    return execFileSync('age', args, { maxBuffer: 16 * 1024 * 1024, stdio: 'pipe', ...(input !== undefined && { input }) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error('the age tool is missing: npm run servers:install', { cause: error })
    throw error
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-age-'))
  identityFile = join(folder, 'identity.txt')
  await writeFile(identityFile, `${recoveryIdentity(key)}\n`)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function recipientOf(file: string): string {
  return execFileSync('age-keygen', ['-y', file]).toString().trim()
}

describe('the age tool', () => {
  it.each(LENGTHS)('opens a file of %i bytes with the recovery identity', async (length) => {
    const plaintext = randomBytes(length)
    const local = new LocalDriver({ root: folder })
    await new Disk(encrypted({ key, recovery: true })(local)).put('file.age', plaintext)
    expect(age(['-d', '-i', identityFile, join(folder, 'file.age')]).equals(plaintext)).toBe(true)
  })

  it('opens nothing where no recovery was asked for', async () => {
    await new Disk(encrypted({ key })(new LocalDriver({ root: folder }))).put('closed.age', 'x')
    expect(() => age(['-d', '-i', identityFile, join(folder, 'closed.age')])).toThrow('no identity matched')
  })

  it.each(LENGTHS)('writes a file of %i bytes that the disk reads with recover: true, and not without', async (length) => {
    const plaintext = randomBytes(length)
    age(['-r', recipientOf(identityFile), '-o', join(folder, 'theirs.age')], plaintext)
    const local = new LocalDriver({ root: folder })
    const disk = new Disk(encrypted({ key, recover: true })(local))
    expect((await disk.get('theirs.age')).equals(plaintext)).toBe(true)
    await expect(disk.size('theirs.age')).resolves.toBe(length)
    if (length > 100_000)
      expect((await disk.get('theirs.age', { range: { start: 65_000, end: 66_000 } })).equals(plaintext.subarray(65_000, 66_000))).toBe(
        true,
      )
    await expect(new Disk(encrypted({ key })(local)).get('theirs.age')).rejects.toMatchObject({ code: 'corrupted' })
  })

  it('has the key to files for a recipient of its own', async () => {
    const own = join(folder, 'own.txt')
    execFileSync('age-keygen', ['-o', own], { stdio: 'pipe' })
    const disk = new Disk(encrypted({ key, recovery: recipientOf(own) })(new LocalDriver({ root: folder })))
    await disk.put('for-them.age', 'offline')
    expect(age(['-d', '-i', own, join(folder, 'for-them.age')]).toString()).toBe('offline')
    await expect(disk.text('for-them.age')).resolves.toBe('offline')
  })
})
