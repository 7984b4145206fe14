/** Random steps for the model test, the same for the same seed. */
import type { ModelRange, Step } from './model-store.ts'

/** One of several, by chance. */
export type Choose = <T>(options: readonly T[]) => T

/** Few enough that steps meet each other; some begin like others, some are files and directories in turn. */
const PATHS = [
  'a',
  'a.txt',
  'a/b',
  'a/b/c',
  'a/b/c.txt',
  'a/b2',
  'ab',
  'ab/c',
  'users/1',
  'users/1/x',
  'users/10',
  'users/10/x',
  'é',
  '\u{1f600}/y',
]
const DIRECTORIES = ['a', 'a/b', 'ab', 'users', 'users/1', 'users/10', 'é', '\u{1f600}', 'missing']
const RANGES: readonly ModelRange[] = [
  { start: 0 },
  { start: 0, end: 1 },
  { start: 1, end: 4 },
  { start: 3 },
  { start: 5, end: 900 },
  { suffix: 2 },
  { suffix: 900 },
]

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

/** A generator of choices (mulberry32). */
export function chooser(seed: number): Choose {
  let state = seed
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return <T>(options: readonly T[]) => options[Math.floor(random() * options.length)] as T
}

interface Able {
  readonly append: boolean
  readonly directories: boolean
}

export function randomSteps(choose: Choose, count: number, able: Able): Step[] {
  const verbs: Step['verb'][] = [
    'put',
    'put',
    'put',
    'put',
    'get',
    'get',
    'list',
    'list',
    'delete',
    'deleteDirectory',
    'copy',
    'copy',
    'move',
    'move',
  ]
  if (able.append) verbs.push('append', 'append')
  if (able.directories) verbs.push('makeDirectory')
  return Array.from({ length: count }, () => randomStep(choose, choose(verbs)))
}

function randomStep(choose: Choose, verb: Step['verb']): Step {
  const path = choose(PATHS)
  switch (verb) {
    case 'put':
    case 'append':
      return { verb, path, content: LETTERS.slice(0, choose([0, 1, 2, 5, 26])) }
    case 'get':
      return { verb, path, range: choose([undefined, ...RANGES]) }
    case 'list':
      return {
        verb,
        path: choose(['', ...DIRECTORIES]),
        recursive: choose([true, false]),
        pageSize: choose([1, 2, 3, 7, 1_000]),
        after: choose([undefined, undefined, path]),
      }
    case 'delete':
      return { verb, paths: choose([[path], [path, choose(PATHS)]]) }
    case 'deleteDirectory':
    case 'makeDirectory':
      return { verb, path: choose(DIRECTORIES) }
    case 'copy':
    case 'move':
      break
  }
  return { verb, path, to: choose(PATHS) }
}
