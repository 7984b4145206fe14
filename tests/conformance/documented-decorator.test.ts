/** The decorator that the guide writes keeps what it says. */
import type { Decorator } from '../../src/driver.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { documentedModule } from '../support/documented-module.ts'

let loading: Promise<unknown> | undefined

describeDriver('the decorator of the guide', async () => {
  loading ??= documentedModule('docs/writing-a-decorator.md', 'limited.ts')
  const { limited } = (await loading) as { readonly limited: (options: { readonly maxFileBytes: number }) => Decorator }
  return limited({ maxFileBytes: 64 * 1024 * 1024 })(new MemoryDriver())
})
