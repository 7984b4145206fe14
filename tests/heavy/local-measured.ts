/** Runs a piece of code in a fresh process, and tells by how much the most that was ever resident grew. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text as readText } from 'node:stream/consumers'

/** What every measured script begins with. `measure(run)` prints how much higher the peak is than the one before. */
const PRELUDE = `
import { readFileSync } from 'node:fs'
import { LocalDriver } from ${JSON.stringify(new URL('../../src/drivers/local/local-driver.ts', import.meta.url).href)}
import { collect, toContent, toReadable } from ${JSON.stringify(new URL('../../src/content.ts', import.meta.url).href)}
const kilobytes = (field) => Number(new RegExp(field + ':\\\\s+(\\\\d+) kB').exec(readFileSync('/proc/self/status', 'utf8'))[1])
async function measure(run) {
  const before = kilobytes('VmHWM')
  const result = await run()
  console.log(JSON.stringify({ growthMiB: (kilobytes('VmHWM') - before) / 1024, result }))
}
`

export interface Measured {
  readonly growthMiB: number
  readonly result: unknown
}

/** A script that has what PRELUDE imports, running. */
export function start(script: string): ReturnType<typeof spawn> {
  return spawn(process.execPath, ['--input-type=module', '-e', PRELUDE + script], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Runs a script that calls `measure` once. */
export async function measured(script: string): Promise<Measured> {
  const child = start(script)
  const [output, [code]] = await Promise.all([readText(child.stdout as NodeJS.ReadableStream), once(child, 'exit')])
  if (code !== 0) throw new Error(`the measured process ended with ${String(code)}: ${output}`)
  return JSON.parse(output) as Measured
}
