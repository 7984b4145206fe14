/** What the sources of decorators must not do, because a member added to the seam later would then pass unseen. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'

const folder = new URL('../../../src/decorators/', import.meta.url)
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => [name, withoutComments(readFileSync(new URL(name, folder), 'utf8'))] as const)
sources.push(['../testing/faulty.ts', withoutComments(readFileSync(new URL('../testing/faulty.ts', folder), 'utf8'))])

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
}

const SPREAD = /\.\.\.\s*(inner|driver|primary)\b(?!\.)/
const PROXY = /\bnew Proxy\b|\bProxy\.revocable\b|\bsetPrototypeOf\b|\bObject\.(create|assign)\(\s*(inner|driver)\b/

describe('the sources of decorators', () => {
  it('are found, and would be found out', () => {
    expect(sources.map(([name]) => name)).toEqual(
      expect.arrayContaining(['scoped.ts', 'read-only.ts', 'retrying.ts', 'throttled.ts', 'logged.ts', 'served.ts']),
    )
    expect('({ ...inner, kind })').toMatch(SPREAD)
    expect('({ ...inner.supports })').not.toMatch(SPREAD)
    expect('return new Proxy(inner, {})').toMatch(PROXY)
  })

  it.each(sources)('%s lists every member of what it returns', (_name, source) => {
    expect(source).not.toMatch(SPREAD)
    expect(source).not.toMatch(PROXY)
  })

  it.each(sources.filter(([name]) => !/^\w.*\//.test(name)))('%s has at most 120 lines of code', (_name, source) => {
    expect(source.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(120)
  })
})
