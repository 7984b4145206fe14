/** The process-wide manager: the only global. It is itself the default disk. */
import type { RegisteredDiskName } from './config/register.ts'
import { StorageManager } from './storage-manager.ts'

/** Named disks of this process. Without `configure` it finds its configuration at the first operation. */
export const Storage: StorageManager<RegisteredDiskName> = new StorageManager<RegisteredDiskName>()
