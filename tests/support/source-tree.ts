/**
 * The sources of the package as a parser sees them, for tests about their shape: what each file imports, how much code it holds,
 * and the nodes of its syntax tree. Code is what is left without comments and blank lines.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { parseSync } from 'oxc-parser'

export const ROOT: string = resolve(import.meta.dirname, '../..')

/** A node of the syntax tree, read without knowing its type. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface Import {
  /** Relative ones as paths below `src`: `drivers/memory-driver.ts`; others as they are written. */
  readonly from: string
  readonly relative: boolean
  /** Erased by the compiler: it loads nothing. */
  readonly typeOnly: boolean
  readonly dynamic: boolean
  /** False for `import(expression)`: `from` is the expression. */
  readonly literal: boolean
}

export interface SourceFile {
  /** Below `src`, with `/`. */
  readonly path: string
  readonly text: string
  readonly program: SyntaxNode
  readonly imports: readonly Import[]
  readonly comments: readonly { readonly type: string; readonly value: string; readonly start: number; readonly end: number }[]
  readonly lines: number
}

/** Parses one file. @throws when it is not TypeScript */
export function parseSource(path: string, text: string): SourceFile {
  const { program, comments, errors, module } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const found: Import[] = []
  const add = (from: string, typeOnly: boolean, dynamic = false, literal = true): void => {
    const relative = literal && from.startsWith('.')
    found.push({ from: relative ? posix.join(posix.dirname(path), from) : from, relative, typeOnly, dynamic, literal })
  }
  for (const { moduleRequest, entries } of module.staticImports) {
    add(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType))
  }
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, isType } of entries) if (moduleRequest !== null) add(moduleRequest.value, isType)
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const written = text.slice(moduleRequest.start, moduleRequest.end)
    const literal = /^(['"])(.*)\1$/.exec(written)?.[2]
    add(literal ?? written, false, true, literal !== undefined)
  }
  const tree = program as unknown as SyntaxNode
  return { path, text, program: tree, imports: found, comments, lines: codeLines(text, comments) }
}

/** Every source file, by its path below `src`. */
export function sourceFiles(): readonly SourceFile[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts'))
    .toSorted()
    .map((name) => parseSource(name, readFileSync(join(ROOT, 'src', name), 'utf8')))
}

/** Lines of a text that hold more than comments and white space. */
export function codeLines(
  text: string,
  comments: SourceFile['comments'],
  { start, end }: { readonly start: number; readonly end: number } = { start: 0, end: text.length },
): number {
  let code = text
  for (const comment of comments) {
    const blank = text.slice(comment.start, comment.end).replace(/[^\n]/g, ' ')
    code = code.slice(0, comment.start) + blank + code.slice(comment.end)
  }
  return code
    .slice(start, end)
    .split('\n')
    .filter((line) => line.trim() !== '').length
}

/** Calls `visit` with each node of a tree and the nodes around it, the nearest last. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, around: readonly SyntaxNode[]) => void,
  around: readonly SyntaxNode[] = [],
): void {
  visit(node, around)
  const inside = [...around, node]
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit, inside)
  }
}

/** The nodes of a file of these types, with the line each begins on. */
export function nodesOf(file: SourceFile, ...types: readonly string[]): readonly { readonly node: SyntaxNode; readonly place: string }[] {
  const found: { node: SyntaxNode; place: string }[] = []
  walk(file.program, (node) => {
    if (types.includes(node.type)) found.push({ node, place: placeOf(file, node) })
  })
  return found
}

/** `path:line` of a node. */
export function placeOf(file: SourceFile, { start }: { readonly start: number }): string {
  return `${file.path}:${file.text.slice(0, start).split('\n').length}`
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'start' in value
}
