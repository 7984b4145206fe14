import { encrypted, type EncryptedOptions } from '../../src/decorators/encrypted/encrypted.ts'
import { generateKey } from '../../src/decorators/encrypted/keys.ts'
import { MemoryDriver } from '../../src/drivers/memory-driver.ts'
import { describeDriver } from '../../src/testing/conformance/index.ts'

const key = generateKey()
const OPTIONS: Readonly<Record<string, EncryptedOptions>> = {
  'encrypted(memory)': { key },
  'encrypted(memory), as Tink': { key, format: 'tink' },
}

for (const [name, options] of Object.entries(OPTIONS)) describeDriver(name, () => encrypted(options)(new MemoryDriver()))
