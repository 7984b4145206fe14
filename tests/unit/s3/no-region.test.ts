/** Without a region nothing can be signed: said in the same words, whatever was asked. */
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { Disk } from '../../../src/disk.ts'
import { S3Driver } from '../../../src/drivers/s3/s3-driver.ts'

const NAMES = ['AWS_REGION', 'AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_PROFILE'] as const
let before: (readonly [string, string | undefined])[] = []

beforeEach(() => {
  before = NAMES.map((name) => [name, process.env[name]])
  for (const name of NAMES) delete process.env[name]
  process.env['AWS_CONFIG_FILE'] = '/nonexistent/config'
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nonexistent/credentials'
})

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

it.each(['lean', 'sdk'] as const)('is told what to set (%s)', async (transport) => {
  const disk = new Disk(new S3Driver({ bucket: 'b', key: 'k', secret: 's', transport }))
  const told = { code: 'configuration', message: expect.stringContaining('AWS_REGION') }
  await expect(disk.temporaryUrl('a.txt')).rejects.toMatchObject(told)
  await expect(disk.url('a.txt')).rejects.toMatchObject(told)
  if (transport === 'lean') await expect(disk.get('a.txt')).rejects.toMatchObject(told)
  await disk.close()
})
