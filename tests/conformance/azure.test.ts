import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeAzure } from '../support/stores/azure-store.ts'

describeDriver('azure', () => makeAzure(), { testTimeoutMs: 120_000 })
