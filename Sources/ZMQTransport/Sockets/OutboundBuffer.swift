// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Bytes of large frames that the library holds for one peer.
final class PeerAccount: Sendable {
    private let bytes = Atomic<Int>(0)

    var waitingBytes: Int { self.bytes.load(ordering: .relaxed) }

    func add(_ count: Int) { self.bytes.add(count, ordering: .relaxed) }
    func subtract(_ count: Int) { self.bytes.subtract(count, ordering: .relaxed) }
}

/// The bytes of one large frame on their way out.
///
/// The library's I/O thread drops the last reference.
final class OutboundBuffer: @unchecked Sendable {  // written only by init
    let bytes: UnsafeMutableRawPointer
    let count: Int
    private let account: PeerAccount?

    init(copying frame: [UInt8], account: PeerAccount?) {
        self.count = frame.count
        self.bytes = .allocate(byteCount: max(frame.count, 1), alignment: 64)
        self.account = account
        frame.withUnsafeBytes { source in
            if let base = source.baseAddress { memcpy(self.bytes, base, source.count) }
        }
        account?.add(self.count)
    }

    deinit {
        self.account?.subtract(self.count)
        self.bytes.deallocate()
    }
}
