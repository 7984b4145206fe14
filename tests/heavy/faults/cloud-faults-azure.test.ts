import { AzureDriver } from '../../../src/drivers/azure/azure-driver.ts'
import { describeHttpFaults } from '../../support/http-faults.ts'
import { makeAzure, uncommitted } from '../../support/stores/azure-store.ts'

describeHttpFaults(
  'Azure behind a bad network',
  {
    slow: 'azure',
    uploads: {
      whole: { method: 'PUT', path: /file\.bin$/ },
      part: { method: 'PUT', path: /comp=block(&|$)/ },
      commit: { method: 'PUT', path: /comp=blocklist/ },
    },
    downloads: { method: 'GET', path: /file\.bin/ },
    stats: { method: 'HEAD' },
    lists: { method: 'GET', path: /comp=list/ },
    deletes: { method: 'DELETE' },
    copies: { method: 'PUT', path: /copy\.bin/ },
    flippedUpload: 'unknown', // Azurite answers InvalidOperation where Azure answers Md5Mismatch.
    checksDownloads: true,
    givesUpSilence: false, // A silent connection is given up after two minutes, whatever is configured.
    idleConnections: 1,
    maxConnections: 8,
  },
  async () => {
    const store = await makeAzure()
    await store.driver.close()
    const { endpoint = '', accountName } = store.options
    const origin = endpoint.slice(0, -`/${accountName}`.length)
    return {
      endpoint: origin,
      driver: (through) => new AzureDriver({ ...store.options, endpoint: `${through}/${accountName}` }),
      leftovers: () => uncommitted(store.container),
      remove: () => store.remove(),
    }
  },
)
