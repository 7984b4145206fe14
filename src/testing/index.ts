/** `stowage/testing`: fakes, faults, matchers, and the conformance kit. */
export { describeDriver, type DescribeDriverOptions, type Exception } from './conformance/index.ts'
export { refusingDeletes, type RefusingStore } from './conformance/refusing-deletes.ts'
export type { MakeDriver, TestStore } from './conformance/subject.ts'
export { FakeDisk, type FakeOptions } from './fake-disk.ts'
export { type FakeFileOptions, fakeFile } from './fake-file.ts'
export { type FaultyOperation, type FaultyOptions, faulty } from './faulty.ts'
export { type DiskAssertions, type DiskMatchers, matchers } from './matchers.ts'
export type { RecordedOperation } from './recorded.ts'
