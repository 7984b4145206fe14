import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { buildPackage, TSC } from '../support/built-package.ts'
import { moduleOf, readPage, readPages, ROOT, type Snippet, snippetsOf } from './markdown.ts'

/** A user's project, with the built package installed. */
let project = ''

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'stowage-snippets-'))
  const packages = await buildPackage(project)
  await symlink(join(ROOT, 'node_modules/@jest'), join(packages, '@jest'))
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  await cp(join(ROOT, 'config'), join(project, 'config'), { recursive: true })
  await cp(join(ROOT, 'examples'), join(project, 'examples'), { recursive: true })
}, 60_000)

afterAll(() => rm(project, { recursive: true, force: true }))

const STRICT = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noImplicitOverride', '--skipLibCheck']
const MODULES = ['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2024,esnext.disposable', '--types', 'node']

/** What the compiler says about these files of the project. */
async function compile(files: readonly string[]): Promise<string> {
  const options = ['--ignoreConfig', '--noEmit', '--allowImportingTsExtensions', '--verbatimModuleSyntax', ...MODULES, ...STRICT]
  try {
    return (await promisify(execFile)(process.execPath, [TSC, ...options, ...files], { cwd: project })).stdout
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

/** Writes the module of a snippet. @returns its name in the project */
async function place(snippet: Snippet, folder: string): Promise<string> {
  const file = join(folder, snippet.file ?? `line-${snippet.line}.ts`)
  await mkdir(join(project, dirname(file)), { recursive: true })
  await writeFile(join(project, file), moduleOf(snippet))
  return file
}

interface Run {
  readonly stdout: string
  readonly stderr: string
}

function run(file: string, env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return promisify(execFile)(process.execPath, [file], { cwd: project, env: { PATH: process.env['PATH'], ...env } })
}

describe('the code in the documentation', () => {
  it('is there', async () => {
    const pages = await readPages()
    expect(pages.map(({ name }) => name)).toEqual(expect.arrayContaining(['README.md', 'docs/configuration.md', 'docs/testing.md']))
    const typescript = pages.flatMap(snippetsOf).filter(({ language }) => language === 'ts')
    expect(typescript.length).toBeGreaterThan(30)
  })

  it('compiles as strict TypeScript against the built package', async () => {
    const snippets = (await readPages()).flatMap(snippetsOf).filter(({ language }) => language === 'ts')
    // What a page registers is seen by a whole program, so such a page is one of its own.
    const registering = new Set(snippets.filter(({ code }) => code.includes('interface Register')).map(({ page }) => page))
    const shared: string[] = []
    const alone: string[][] = []
    for (const page of new Set(snippets.map(({ page }) => page))) {
      const files: string[] = []
      for (const snippet of snippets.filter((other) => other.page === page)) {
        const own = snippet.code.includes('interface Register')
        const file = await place(snippet, join('pages', page, own ? `line-${snippet.line}` : ''))
        if (own) alone.push([file])
        else files.push(file)
      }
      shared.push(...files)
    }
    expect(registering.size).toBeGreaterThan(0)
    expect(await compile(shared)).toBe('')
    for (const files of alone) expect(await compile(files)).toBe('')
  }, 60_000)

  it('finds an error, and says on which line of the page it is', async () => {
    const wrong = {
      ...(await sixLines()),
      page: 'wrong.md',
      line: 7,
      file: undefined,
      code: 'Storage.disk(1)\n',
      prelude: "import { Storage } from 'stowage'",
    }
    expect(await compile([await place(wrong, 'pages/wrong.md')])).toMatch(/line-7\.ts\(7,14\): error TS2345/)
  })
})

describe('the examples', () => {
  it('README: the six lines run and print what they say', async () => {
    const { code } = await sixLines()
    expect(code.trim().split('\n')).toHaveLength(6)
    await writeFile(join(project, 'hello.mts'), code)
    const { stdout, stderr } = await run('hello.mts')
    const said = [...code.matchAll(/\/\/ (.+)$/gm)].map(([, comment]) => comment)
    expect(said).toHaveLength(2)
    expect(stdout.trim().split('\n')).toEqual(said)
    expect(stderr).toBe('')
  })

  it('quickstart.ts compiles', async () => {
    expect(await compile(['examples/quickstart.ts'])).toBe('')
  })

  it('quickstart.ts does what it says, and ends', async () => {
    const { stdout, stderr } = await run('examples/quickstart.ts')
    expect(stderr).toBe('')
    const expected = [
      'put quickstart/reports/2026.csv: 25 bytes',
      '100 %, 200 MB',
      'read it back: SHA-256',
      'quickstart/large.bin  200000000 bytes',
      'GET → 200, 25 bytes, attachment; filename="report.csv"',
      'the same signature on another path → 403',
      'GET with Range → 206, bytes 1000000-1000099/200000000, 100 bytes',
      'failNext made a put fail: write "avatars/bob.png" on disk "local"',
      'deleted quickstart/large.bin',
      'Done',
    ]
    let at = 0
    for (const line of expected) {
      expect(stdout.slice(at)).toContain(line)
      at = stdout.indexOf(line, at)
    }
    const kept = join(project, 'storage/app/private/quickstart')
    expect(await readFile(join(kept, 'reports/2026.csv'), 'utf8')).toContain('January,42')
    await expect(readFile(join(kept, 'large.bin'))).rejects.toMatchObject({ code: 'ENOENT' })
  }, 60_000)

  it('quickstart.ts is not led astray by the environment', async () => {
    const { stdout } = await run('examples/quickstart.ts', {
      FILESYSTEM_DISK: 's3',
      STORAGE_BASE_URL: 'https://files.invalid',
      STORAGE_URL_SECRET: 'short',
    })
    expect(stdout.trimEnd().endsWith('Done')).toBe(true)
  }, 60_000)
})

/** The first code of the README. */
async function sixLines(): Promise<Snippet> {
  const [first] = snippetsOf(await readPage('README.md')).filter(({ language }) => language === 'ts')
  if (first === undefined) throw new Error('the README has no code')
  return first
}
