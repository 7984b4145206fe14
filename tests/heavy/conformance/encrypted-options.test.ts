import { encrypted, type EncryptedOptions } from '../../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../../src/decorators/encrypted/keys.ts'
import { MemoryDriver } from '../../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../../src/testing/conformance/index.ts'

const key = generateKey()
const OPTIONS: Readonly<Record<string, EncryptedOptions>> = {
  'encrypted(memory), bound to paths': { keys: { k1: key }, bind: 'path' },
  'encrypted(memory), while migrating, with a recovery stanza': { key, recovery: true, recover: true, passthrough: 'read' },
}

for (const [name, options] of Object.entries(OPTIONS)) describeDriver(name, () => encrypted(options)(new MemoryDriver()))
