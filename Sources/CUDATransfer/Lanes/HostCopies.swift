// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import CSystemShims

/// Copies between the arena and page-locked memory that the driver runs in a stream's order.
final class HostCopies: @unchecked Sendable {  // filled before it is enqueued, and then only read
    struct Copy {
        let destination: UnsafeMutableRawPointer
        let source: UnsafeMutableRawPointer
        let byteCount: Int
    }

    private(set) var copies: [Copy] = []

    var byteCount: Int { self.copies.reduce(0) { $0 + $1.byteCount } }

    func append(_ copy: Copy) { self.copies.append(copy) }

    /// Enqueues the copies. The object must live until the stream has passed them, or has failed.
    func enqueue(on stream: OpaquePointer, driver: CUDADriver) throws(CUDAFailure) {
        guard !self.copies.isEmpty else { return }
        let argument = Unmanaged.passUnretained(self).toOpaque()
        try driver.check("cuLaunchHostFunc", lmc_cuda_launch_host(driver.calls, stream, runHostCopies, argument))
    }

    fileprivate func run() {
        for copy in self.copies { lmc_copy_streaming(copy.destination, copy.source, copy.byteCount) }
    }
}

/// Called by a thread of the driver, which must not be given calls of the driver.
private func runHostCopies(_ argument: UnsafeMutableRawPointer?) {
    guard let argument else { return }
    Unmanaged<HostCopies>.fromOpaque(argument).takeUnretainedValue().run()
}
