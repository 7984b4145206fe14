/**
 * `matchGlob` (Cloud Storage, "List objects and prefixes using glob"): `*` and `?` stay below `/`, `**` does not, `[a-z]`, `[!a]`,
 * `{one,other}`, and `\` before what is meant as it is.
 */
import { invalid } from './errors.ts'

/** @throws 400 for brackets or braces that nobody closes */
export function matchesGlob(name: string, glob: string): boolean {
  return compile(glob).test(name)
}

const COMPILED = new Map<string, RegExp>()

function compile(glob: string): RegExp {
  let pattern = COMPILED.get(glob)
  if (pattern === undefined) {
    pattern = new RegExp(`^(?:${translate(glob)})$`, 'su')
    COMPILED.set(glob, pattern)
  }
  return pattern
}

function translate(glob: string): string {
  let result = ''
  let depth = 0
  const tokens = glob.match(/\*\*\/?|\\.|\[[!^]?\]?[^\]]*\]|./gsu) ?? []
  for (const token of tokens) {
    if (token === '{') depth++
    if (token === '}') depth--
    if (depth < 0 || token === '[') throw invalid(`Invalid glob: ${glob}`)
    result += translateToken(token, depth > 0)
  }
  if (depth > 0) throw invalid(`Invalid glob: ${glob}`)
  return result
}

function translateToken(token: string, isInBraces: boolean): string {
  switch (token) {
    case '**/':
      return '(?:.*/)?'
    case '**':
      return '.*'
    case '*':
      return '[^/]*'
    case '?':
      return '[^/]'
    case '{':
      return '(?:'
    case '}':
      return ')'
    case ',':
      return isInBraces ? '|' : ','
  }
  if (token.startsWith('[')) return bracket(token.slice(1, -1))
  return literal(token.startsWith('\\') ? token.slice(1) : token)
}

function bracket(inside: string): string {
  const isNegated = /^[!^]/.test(inside)
  const body = (isNegated ? inside.slice(1) : inside).replace(/[\\\][^]/g, '\\$&')
  return isNegated ? `[^${body}]` : `[${body}]`
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
