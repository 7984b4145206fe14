import { served } from '../../src/decorators/served.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeLocal } from '../support/local-store.ts'

describeDriver('served(local)', async () => {
  const { driver, ...store } = await makeLocal()
  return { ...store, driver: served({ disk: 'kit disk', url: 'https://files.example.com/storage', secret: 'a secret of the kit' })(driver) }
})
