// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Names for files that are being written: no other server, process or thread uses the same.
///
/// `lmc-<16 hexadecimal digits drawn at the start>-<number>.tmp`: short, because a name that contained the object's
/// could be too long where the object's is not, and ending as the original's do.
final class TemporaryNames: Sendable {
    static let suffix = ".tmp"

    private let prefix: String
    private let count = Atomic<UInt64>(0)

    init(nonce: UInt64) {
        let digits = String(nonce, radix: 16)
        self.prefix = "lmc-" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    func next() -> String {
        let number = self.count.wrappingAdd(1, ordering: .relaxed).newValue
        return "\(self.prefix)-\(number)\(Self.suffix)"
    }
}
