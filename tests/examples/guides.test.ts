import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import * as stowage from '../../src/index.ts'
import { builtInNames } from '../../src/config/registry.ts'
import { COMMON_KEYS, DRIVER_KEYS } from '../../src/config/keys.ts'
import { createHandler, toNodeHandler } from '../../src/http/index.ts'
import * as testing from '../../src/testing/index.ts'
import { type Page, readPage, readPages, ROOT, tableRows } from './markdown.ts'

const OWNERS = {
  disk: stowage.Disk.prototype,
  Storage: stowage.StorageManager.prototype,
  fake: testing.FakeDisk.prototype,
} as const
const EXPORTS: ReadonlySet<string> = new Set([
  ...Object.keys(stowage),
  ...Object.keys(testing),
  createHandler.name,
  toNodeHandler.name,
  'LocalDriver',
])

/** The code in a cell, span by span. */
function spans(cell = ''): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, span]) => span as string)
}

/** What the second column of a guide's tables of methods claims to exist and does not. */
function inventions({ text }: Page): readonly string[] {
  const rows = text.split('\n').filter((line) => /^\| .* \|$/.test(line))
  return rows.flatMap((row) => spans(row).flatMap((span) => unknownNames(span)))
}

function unknownNames(span: string): readonly string[] {
  const members = [...span.matchAll(/\b(disk|Storage|fake)\.(\w+)/g)].filter(
    ([, owner, name]) => !(String(name) in OWNERS[owner as keyof typeof OWNERS]),
  )
  return members.map(([whole]) => whole)
}

/** Every name in the first column of a page's tables. */
function firstColumn({ text }: Page): ReadonlySet<string> {
  const cells = text.split('\n').map((line) => /^\| (.*?) \|/.exec(line)?.[1])
  return new Set(
    cells.flatMap((cell) => spans(cell)).map((span) => /([\w[\].]+)(?:\(|$)/.exec(span.replace(/^new |^.*(?:->|::)/, ''))?.[1] ?? span),
  )
}

const LARAVEL =
  `disk drive cloud build createLocalDriver createFtpDriver createSftpDriver createS3Driver createReadThroughDriver createScopedDriver set
  getDefaultDriver getDefaultCloudDriver forgetDisk purge extend setApplication __call fake persistentFake store storeAs storePublicly storePubliclyAs
  exists missing fileExists fileMissing directoryExists directoryMissing path get json readStream response serve download image size lastModified mimeType
  checksum getVisibility files allFiles directories allDirectories put putFile putFileAs writeStream prepend append setVisibility delete copy move
  makeDirectory deleteDirectory url providesTemporaryUrls providesTemporaryUploadUrls temporaryUrl temporaryUploadUrl buildTemporaryUrlsUsing
  buildTemporaryUploadUrlsUsing serveUsing diskName shouldServeSignedUrls getClient getDriver getAdapter getConfig when unless macro mixin hasMacro
  flushMacros macroCall assertExists assertMissing assertCount assertDirectoryEmpty assertEmpty`.split(/\s+/)

const FLYDRIVE =
  `file fromSnapshot exists get getStream getBytes getArrayBuffer getMetaData getVisibility getUrl getSignedUrl getSignedUploadUrl setVisibility put
  putStream copy copyFromFs move moveFromFs delete deleteAll listAll driver bucket DriveManager use fake restore disk onRestore [Symbol.dispose] assertExists
  assertMissing clear E_CANNOT_WRITE_FILE E_CANNOT_READ_FILE E_CANNOT_DELETE_FILE E_CANNOT_COPY_FILE E_CANNOT_MOVE_FILE E_CANNOT_DELETE_DIRECTORY
  E_CANNOT_CHECK_FILE_EXISTENCE E_CANNOT_GET_METADATA E_CANNOT_SET_VISIBILITY E_CANNOT_GENERATE_URL E_UNALLOWED_CHARACTERS E_INVALID_KEY
  E_PATH_TRAVERSAL_DETECTED`.split(/\s+/)

describe('the guides for those who come from elsewhere', () => {
  it.each([
    ['docs/migrating-from-laravel.md', LARAVEL],
    ['docs/migrating-from-flydrive.md', FLYDRIVE],
  ])('%s has every method of theirs', async (name, methods) => {
    const column = firstColumn(await readPage(name))
    expect(methods.filter((method) => !column.has(method))).toEqual([])
  })

  it('name only methods that exist', async () => {
    for (const page of await readPages()) expect({ page: page.name, unknown: inventions(page) }).toEqual({ page: page.name, unknown: [] })
    expect(unknownNames('disk.putt(path), Storage.disk(name), fake.assertAbsent(path)')).toEqual(['disk.putt', 'fake.assertAbsent'])
  })

  it('name only functions that are exported', async () => {
    for (const name of ['docs/migrating-from-laravel.md', 'docs/migrating-from-flydrive.md']) {
      const rows = (await readPage(name)).text.split('\n').filter((line) => line.startsWith('| '))
      const called = rows.flatMap((row) => spans(row.split(' | ')[1])).flatMap((span) => /^(?:new )?(\w+)\(/.exec(span)?.[1] ?? [])
      expect(called.filter((name) => !EXPORTS.has(name))).toEqual([])
    }
  })
})

describe('the README', () => {
  it('has every error code with its class', async () => {
    const rows = tableRows(await readPage('README.md'), 'Errors').slice(1)
    const classes = Object.entries(stowage).filter(([name]) => /^[A-Z]\w*Error$/.test(name))
    const expected = classes.map(([name, Class]) => [name, new (Class as new () => stowage.StorageError)().code])
    const said = rows.map(([code, name]) => [spans(name)[0], spans(code)[0]])
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(expected))
  })

  it('names every driver', async () => {
    const rows = tableRows(await readPage('README.md'), 'Drivers')
    const said = rows.flatMap((row) => spans(`${row[0]} ${row[1]}`).map(driverIn))
    expect(builtInNames().filter((name) => !said.includes(name))).toEqual([])
  })

  it('stays short', async () => {
    expect((await readPage('README.md')).text.split('\n').length).toBeLessThanOrEqual(400)
  })
})

function driverIn(span: string): string {
  return /driver: '([\w-]+)'/.exec(span)?.[1] ?? span
}

describe('docs/configuration.md', () => {
  it('has every key of every driver and of all disks', async () => {
    const { text } = await readPage('docs/configuration.md')
    const known = new Set(spans(text.replace(/^```.*?^```$/gms, '')).flatMap((span) => span.split(/\W+/)))
    const keys = [...Object.keys(COMMON_KEYS), ...Object.values(DRIVER_KEYS).flatMap((driver) => Object.keys(driver))]
    expect(keys.filter((key) => !known.has(key))).toEqual([])
  })

  it('has every variable that configFromEnv reads', async () => {
    const source = await readFile(join(ROOT, 'src/config/from-env.ts'), 'utf8')
    const { text } = await readPage('docs/configuration.md')
    const variables = new Set([...source.matchAll(/'((?:STORAGE|AWS|RAILWAY|GOOGLE)_[A-Z0-9_]+)'/g)].map(([, name]) => name as string))
    expect(variables.size).toBeGreaterThan(30)
    expect([...variables].filter((name) => !text.includes(name))).toEqual([])
  })
})

describe('links', () => {
  it('lead to files and headings that are there', async () => {
    const sources = (await readdir(join(ROOT, 'src'), { recursive: true }))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `src/${name}`)
    const pages = [...(await readPages()), ...(await Promise.all(sources.map(readPage)))]
    const broken: string[] = []
    for (const { name, text } of pages) {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [file = '', anchor] = target.split('#')
        const path = file === '' ? name : join(dirname(name), file)
        const there = await stat(join(ROOT, path)).then(
          () => true,
          () => false,
        )
        if (!there || (anchor !== undefined && !(await anchorsOf(path)).has(anchor))) broken.push(`${name}: ${target}`)
      }
    }
    expect(broken).toEqual([])
  })
})

async function anchorsOf(name: string): Promise<ReadonlySet<string>> {
  const { text } = await readPage(name)
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading as string)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}
