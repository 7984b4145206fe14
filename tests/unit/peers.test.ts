import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

// Packages are found from where the source is, so it is copied to where there are packages of our own.
const SOURCE = resolve(import.meta.dirname, '../../src')
let folder: string

async function install(name: string, code: string): Promise<void> {
  const at = join(folder, 'node_modules', name)
  await mkdir(at, { recursive: true })
  await writeFile(join(at, 'package.json'), JSON.stringify({ name, type: 'module', exports: { '.': './index.js', './sub': './index.js' } }))
  await writeFile(join(at, 'index.js'), code)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-peers-'))
  for (const file of ['peers.ts', 'errors.ts']) await copyFile(join(SOURCE, file), join(folder, file))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await install('there', 'export const answer = 42')
  await install('@scope/there', 'export const answer = 43')
  await install('broken', "import 'broken-needs-this'")
  await install('failing', "throw new TypeError('on load')")
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function load(specifier: string): Promise<Record<string, unknown>> {
  const script = `import { importPeer } from './peers.ts'
    const found = await importPeer(${JSON.stringify(specifier)}).catch((e) => ({ name: e.name, code: e.code, message: e.message, cause: e.cause?.code }))
    console.log(JSON.stringify(found))`
  await writeFile(join(folder, 'run.ts'), script)
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'run.ts')])
  return JSON.parse(stdout) as Record<string, unknown>
}

describe('optional packages', () => {
  it('are loaded, with and without a scope, also a part of one', async () => {
    expect(await load('there')).toEqual({ answer: 42 })
    expect(await load('@scope/there')).toEqual({ answer: 43 })
    expect(await load('there/sub')).toEqual({ answer: 42 })
  })

  it.each([
    ['absent', 'absent'],
    ['@scope/absent', '@scope/absent'],
    ['absent/deep/part', 'absent'],
    ['@scope/absent/part', '@scope/absent'],
  ])('that are missing are named with what installs them: %s', async (specifier, name) => {
    expect(await load(specifier)).toEqual({
      name: 'ConfigurationError',
      code: 'configuration',
      message: `it needs ${name}: npm install ${name}`,
      cause: 'ERR_MODULE_NOT_FOUND',
    })
  })

  it('that miss one of their own, or fail, say that themselves', async () => {
    expect(await load('broken')).toMatchObject({
      name: 'Error',
      code: 'ERR_MODULE_NOT_FOUND',
      message: expect.stringContaining('broken-needs-this'),
    })
    expect(await load('failing')).toMatchObject({ name: 'TypeError', message: 'on load' })
  })
})
