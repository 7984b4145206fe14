/** The driver that the guide writes keeps what it says. */
import type { Driver } from '../../src/driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { documentedModule } from '../support/documented-module.ts'

let loading: Promise<unknown> | undefined

describeDriver('the driver of the guide', async () => {
  loading ??= documentedModule('docs/writing-a-driver.md', 'sqlite-driver.ts')
  const { SqliteDriver } = (await loading) as { readonly SqliteDriver: new (file: string) => Driver }
  return new SqliteDriver(':memory:')
})
