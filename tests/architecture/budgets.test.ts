/** How much code a file and a function may hold. Comments and blank lines are free; a function's lines include those of functions in it. */
import { describe, expect, it } from '@jest/globals'
import { codeLines, isNode, parseSource, placeOf, type SourceFile, sourceFiles, type SyntaxNode, walk } from '../support/source-tree.ts'

const files = sourceFiles()
const MAX_FUNCTION = 40
const MAX_PARAMETERS = 3
/** Lines of code. V8 takes about a millisecond for a thousand, whether they are used or not. */
const MAX_EAGER = 10_500
const LIMITS: readonly (readonly [pattern: RegExp, lines: number])[] = [
  [/^disk\.ts$/, 600],
  [/^drivers\/memory-driver\.ts$/, 250],
  [/^drivers\/.*-driver\.ts$/, 350],
  [/^decorators\/[\w-]+\.ts$/, 120],
  [/^/, 450],
]

function limitOf(path: string): number {
  return LIMITS.find(([pattern]) => pattern.test(path))?.[1] ?? 0
}

/** Functions that take more, and why. */
const MANY_PARAMETERS = [
  'derive.ts copyThroughStream', // Two ends, each a driver and a path.
  'drivers/local/local-files.ts read', // Those of fs.read.
]

const FUNCTIONS = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']

/** The functions of a file that are too long, or take too many parameters before their options. */
function offenders(file: SourceFile): readonly string[] {
  const found: string[] = []
  walk(file.program, (node, around) => {
    if (!FUNCTIONS.includes(node.type)) return
    const lines = codeLines(file.text, file.comments, node)
    if (lines > MAX_FUNCTION) found.push(`${placeOf(file, node)} has ${lines} lines`)
    const parameters = positional(node)
    const isExcepted = isHanded(around.at(-1)) || MANY_PARAMETERS.includes(`${file.path} ${nameOf(node)}`)
    if (parameters > MAX_PARAMETERS && !isExcepted) found.push(`${placeOf(file, node)} takes ${parameters} parameters`)
  })
  return found
}

function nameOf({ id }: SyntaxNode): string {
  return isNode(id) ? String(id['name']) : ''
}

/** How many parameters stand before the options, or before the first that callers may leave out. */
function positional({ params }: SyntaxNode): number {
  const parameters = params as readonly SyntaxNode[]
  const options = parameters.findIndex(isOptions)
  return options === -1 ? parameters.length : options
}

function isOptions(parameter: SyntaxNode): boolean {
  if (parameter.type === 'AssignmentPattern' || parameter.type === 'ObjectPattern') return true
  return parameter['optional'] === true || /^(_?options|limits|context|signal)$/.test(String(parameter['name']))
}

/** A callback, or a member of an object: its parameters are those of the type it is handed to. */
function isHanded(parent: SyntaxNode | undefined): boolean {
  return parent?.type === 'Property' || parent?.type === 'CallExpression'
}

/** The files that come with one, because they are imported at once. */
function reachedFrom(entry: string): readonly SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set([entry])
  for (const path of reached) {
    for (const { from, relative, typeOnly, dynamic } of byPath.get(path)?.imports ?? []) {
      if (relative && !typeOnly && !dynamic) reached.add(from)
    }
  }
  return files.filter(({ path }) => reached.has(path))
}

describe('the budgets', () => {
  it.each(files.map((file) => [file.path, file.lines, limitOf(file.path)] as const))(
    '%s has %i lines of code, of %i',
    (_path, lines, limit) => {
      expect(lines).toBeLessThanOrEqual(limit)
    },
  )

  it('keep most files small', () => {
    // Each file of the kit is a list of tests: as short as its topic, and no more to understand than one test.
    const sizes = files.flatMap(({ path, lines }) => (path.startsWith('testing/conformance/') ? [] : lines)).toSorted((a, b) => a - b)
    expect(sizes[Math.floor(sizes.length / 2)]).toBeLessThanOrEqual(90)
    expect(sizes[Math.floor(sizes.length * 0.9)]).toBeLessThanOrEqual(250)
  })

  it.each(files.map((file) => [file.path, file] as const))('keep functions short and their parameters few: %s', (_path, file) => {
    expect(offenders(file)).toEqual([])
  })

  it('keep small what every import of the package compiles: the rest is loaded by who uses it', () => {
    const eager = reachedFrom('index.ts')
    expect(eager.reduce((sum, { lines }) => sum + lines, 0)).toBeLessThanOrEqual(MAX_EAGER)
    // A driver's shell judges its settings; what is done with them is not compiled for those who do not use it.
    const inside = eager.filter(({ path }) => /^(drivers|decorators)\/.*\/(operations|purging|mirroring)\.ts$/.test(path))
    expect(inside.map(({ path }) => path)).toEqual([])
  })

  it('count code only', () => {
    const text = `/**\n * A promise.\n */\n\nconst a = \`\n// no comment\n\` // one\n/* two\n */ const b = '/*'\n`
    expect(parseSource('a.ts', text).lines).toBe(4)
    const body = (lines: number): string => Array.from({ length: lines }, (_, i) => `  // ${i}\n\n  call(${i})\n`).join('')
    expect(offenders(parseSource('a.ts', `function f() {\n${body(38)}}\n`))).toEqual([])
    expect(offenders(parseSource('a.ts', `function f() {\n${body(39)}}\n`))).toEqual(['a.ts:1 has 41 lines'])
    expect(offenders(parseSource('a.ts', `function f(a, b, c, options, d = 1) {}`))).toEqual([])
    expect(offenders(parseSource('a.ts', `const f = (a, b, c, d, options) => 1`))).toEqual(['a.ts:1 takes 4 parameters'])
  })
})
