// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import DeviceTransfer
import Glibc

/// The memory that a device reaches without crossing to another processor socket.
enum NearMemory {
    /// Where the kernel describes what is on the bus.
    static let devices = "/sys/bus/pci/devices"

    /// The NUMA node beside a device; nil on machines with one node, or where nobody knows.
    ///
    /// - Parameter busID: As `0000:1b:00.0`.
    static func node(busID: String, devices: String = Self.devices) -> UInt32? {
        // It becomes part of a path.
        let known = Array("0123456789abcdef:.".utf8)
        guard !busID.isEmpty, busID.utf8.allSatisfy({ known.contains($0) }), !busID.contains("..") else { return nil }
        let file = open("\(devices)/\(busID)/numa_node", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 16)
        let length = read(file, &buffer, buffer.count)
        guard length > 0 else { return nil }
        // -1 stands for "not known".
        return UInt32(String(decoding: buffer[..<length].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// Lets the part of an arena that has no memory yet get it from a node while that has some.
    ///
    /// - Returns: False where the system refuses.
    static func prefer(node: UInt32, for view: ArenaView) -> Bool {
        lmc_prefer_node(view.base, view.byteCount, node) == 0
    }
}
