// lmcache · SPDX-License-Identifier: Apache-2.0

import FuzzEntries

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    fuzzConfiguration(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
