import { describeDriver } from '../../src/testing/conformance/index.ts'
import { makeLocal } from '../support/local-store.ts'

describeDriver('local', makeLocal)
