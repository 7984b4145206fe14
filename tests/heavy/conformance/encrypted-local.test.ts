/** The kit over encryption on a local disk, alone and in a stack of five. The store beneath is looked at for litter and descriptors. */
import { encrypted } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { logged } from '../../../src/decorators/logged.ts'
import { retrying } from '../../../src/decorators/retrying.ts'
import { scoped } from '../../../src/decorators/scoped.ts'
import { throttled } from '../../../src/decorators/throttled.ts'
import type { Decorator } from '../../../src/driver.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import type { TestStore } from '../../../src/testing/conformance/subject.ts'
import { makeLocal } from '../../support/local-store.ts'

const key = generateKey()
const five: readonly Decorator[] = [
  throttled({ maxConcurrency: 8 }),
  encrypted({ key }),
  scoped('a/b'),
  retrying({ attempts: 2, baseDelayMs: 1 }),
  logged({ logger: { debug: () => undefined, error: () => undefined } }),
]

async function makeStack(decorators: readonly Decorator[], prefix = ''): Promise<TestStore> {
  const { driver, failDeletes, ...store } = await makeLocal()
  const stack = decorators.reduce((inner, decorate) => decorate(inner), driver)
  return { ...store, driver: stack, failDeletes: failDeletes && ((path) => failDeletes(`${prefix}${path}`)) }
}

describeDriver('encrypted(local)', () => makeStack([encrypted({ key })]))
describeDriver('logged(retrying(scoped(encrypted(throttled(local)))))', () => makeStack(five, 'a/b/'))
