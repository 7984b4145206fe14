/**
 * The model test: random steps on a disk and on a Map, which have to agree after each. A run that fails is printed with its seed,
 * shortened to the steps that it takes.
 */
import type { Disk } from '../../disk.ts'
import { isStorageError } from '../../errors.ts'
import { AssertionError } from '../compare.ts'
import { canAppend } from './appending.ts'
import { entriesOf } from './assertions.ts'
import { type ConformanceTest, writes } from './conformance-test.ts'
import { ModelStore, type Outcome, type Step } from './model-store.ts'
import { chooser, type Choose, randomSteps } from './model-steps.ts'
import type { Subject } from './subject.ts'

const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34, 55]
const STEPS = 60

export const model: readonly ConformanceTest[] = [
  writes('does what a Map would do, whatever is asked of it in whatever order', async (t) => {
    for (const seed of SEEDS) await runSeed(t, seed)
  }),

  writes('does what a Map would do, with a seed of chance', async (t) => {
    await runSeed(t, Math.floor(Math.random() * 2 ** 31))
  }),
]

async function runSeed(t: Subject, seed: number): Promise<void> {
  const choose: Choose = chooser(seed)
  const steps = randomSteps(choose, STEPS, { append: canAppend(t.driver), directories: t.driver.directories !== undefined })
  const failure = await replay(t, steps)
  if (failure === undefined) return
  const { steps: shortest, failure: reason } = await shrink(t, steps.slice(0, failure.at + 1), failure)
  const run = shortest.map((step) => `  ${JSON.stringify(step)}`).join('\n')
  throw new AssertionError(`With seed ${seed} the disk and a Map disagree.\nThe shortest run:\n${run}\n${reason.message}`)
}

interface Failure {
  /** The step after which they disagree. */
  readonly at: number
  readonly message: string
}

/** Runs the steps on a fresh store. @returns where it and the model disagree, if they do */
async function replay(t: Subject, steps: readonly Step[]): Promise<Failure | undefined> {
  const { disk, driver, close } = await t.another()
  try {
    const model = new ModelStore(driver.directories !== undefined)
    for (const [at, step] of steps.entries()) {
      const [wanted, actual] = [model.apply(step), await outcomeOf(() => perform(disk, step))]
      const message = difference(wanted, actual) ?? difference({ value: stateOf(model) }, await outcomeOf(() => lines(disk, true)))
      if (message !== undefined) return { at, message }
    }
    const message = difference({ value: inOrder([...model.files]) }, await outcomeOf(() => contentsOf(disk)))
    return message === undefined ? undefined : { at: steps.length - 1, message }
  } finally {
    await close()
  }
}

/** Drops one step after another, as long as the run still fails. */
async function shrink(t: Subject, steps: readonly Step[], failure: Failure): Promise<{ steps: readonly Step[]; failure: Failure }> {
  for (let index = steps.length - 1; index >= 0; index--) {
    const shorter = steps.toSpliced(index, 1)
    const still = await replay(t, shorter)
    if (still !== undefined) return shrink(t, shorter.slice(0, still.at + 1), still)
  }
  return { steps, failure }
}

function difference(wanted: Outcome, actual: Outcome): string | undefined {
  const [expected, found] = [JSON.stringify(wanted), JSON.stringify(actual)]
  return expected === found ? undefined : `A Map gives ${expected}\nthe disk gives ${found}`
}

async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await call() }
  } catch (error) {
    if (isStorageError(error) && error.code !== 'unknown') return { code: error.code }
    throw error
  }
}

async function perform(disk: Disk, step: Step): Promise<unknown> {
  switch (step.verb) {
    case 'put':
      return void (await disk.put(step.path, step.content))
    case 'append':
      return void (await disk.append(step.path, step.content))
    case 'get':
      return disk.text(step.path, { range: step.range })
    case 'list':
      return lines(disk, step.recursive, step)
    case 'delete':
      return disk.delete(step.paths)
    case 'deleteDirectory':
      return disk.deleteDirectory(step.path)
    case 'makeDirectory':
      return disk.makeDirectory(step.path)
    case 'copy':
    case 'move':
      break
  }
  return disk[step.verb](step.path, step.to)
}

function stateOf(model: ModelStore): string[] {
  return model.list({ path: '', recursive: true })
}

async function lines(
  disk: Disk,
  recursive: boolean,
  options: { path?: string; pageSize?: number; after?: string | undefined } = {},
): Promise<string[]> {
  const { path = '', pageSize, after } = options
  const entries = await entriesOf(disk, path, { recursive, pageSize, after })
  return entries.map((entry) => (entry.type === 'directory' ? `${entry.path}/` : `${entry.path} (${entry.size})`))
}

async function contentsOf(disk: Disk): Promise<[string, string][]> {
  const contents: [string, string][] = []
  for (const path of await disk.allFiles()) contents.push([path, await disk.text(path)])
  return inOrder(contents)
}

/** By path; which order does not matter, as long as it is one. */
function inOrder<T extends readonly [string, string]>(files: readonly T[]): T[] {
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1))
}
