/** Preloaded into a process: when it ends, it says on standard output how many modules were loaded after this one, and how many of them are the AWS SDK's. */
import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'

export interface Loads {
  readonly modules: number
  readonly sdk: number
}

let modules = 0
let sdk = 0
registerHooks({
  load(url, context, nextLoad) {
    modules++
    if (/\/node_modules\/@(?:aws-sdk|aws|smithy)\//.test(url)) sdk++
    return nextLoad(url, context)
  },
})
process.on('exit', () => writeSync(1, `\n${JSON.stringify({ modules, sdk } satisfies Loads)}`))
