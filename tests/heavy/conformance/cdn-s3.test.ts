import { cdn } from '../../../src/decorators/cdn/cdn.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'
import { NO_CONDITIONS } from '../../support/stores/s3-exceptions.ts'
import { makeS3 } from '../../support/stores/s3-store.ts'
import { acceptingPurger } from '../../unit/cdn/purge-servers.ts'

const make = async () => {
  const { driver, remove, ...store } = await makeS3()
  const { provider, close } = await acceptingPurger()
  return {
    ...store,
    driver: cdn({ url: 'https://cdn.example.com', provider, repurgeAfter: 1 })(driver),
    remove: async () => {
      await remove?.()
      await close()
    },
  }
}

describeDriver('cdn(s3)', make, { except: NO_CONDITIONS, testTimeoutMs: 120_000 })
