/** Encryption over a local disk, with URLs of our own. Without them, and in a stack of five: tests/heavy/conformance/encrypted-local.test.ts. */
import { encrypted } from '../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import { served } from '../../src/decorators/served.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeLocal } from '../support/local-store.ts'

const key = generateKey()
const urls = served({ disk: 'kit disk', url: 'https://files.example.com/storage', secret: 'a secret of the kit' })

describeDriver('served(encrypted(local))', async () => {
  const store = await makeLocal()
  return { ...store, driver: urls(encrypted({ key })(store.driver)) }
})
