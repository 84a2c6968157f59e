// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// The process that owns a registration's memory, where its number is known and it was seen alive.
///
/// What a dying process leaves is no engine's word: its events may fire because its channels are torn down, and not
/// because its kernels have ended. So nothing is published once it is gone.
struct ExporterProcess: Sendable, Equatable {
    let number: Int32
    /// Tells it from a later process of the same number.
    private let startTime: UInt64

    /// Nil when no such process runs here, as for one of another process namespace.
    init?(number: Int32) {
        guard number > 0, let state = ProcessState(number: number), !state.isEnding else { return nil }
        self.number = number
        self.startTime = state.startTime
    }

    /// True from the moment on at which the process began to end.
    var isGone: Bool {
        guard let state = ProcessState(number: self.number) else { return true }
        return state.isEnding || state.startTime != self.startTime
    }

    /// The number in the names of PyTorch's counters: `/torch_<pid>_<random>_<n>`.
    static func number(inCounterName name: [UInt8]?) -> Int32? {
        guard let name, name.count < 256 else { return nil }
        let fields = String(decoding: name, as: UTF8.self).drop { $0 == "/" }.split(
            separator: "_", omittingEmptySubsequences: false)
        guard fields.count == 4, fields[0] == "torch", let number = Int32(fields[1]), number > 0 else { return nil }
        return number
    }
}

/// What the system says of one process.
private struct ProcessState {
    let isEnding: Bool
    let startTime: UInt64

    /// PF_EXITING: set before the process' files, and so its device's channels, are closed.
    private static let exitingFlag: UInt64 = 4

    init?(number: Int32) {
        let file = open("/proc/\(number)/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let length = read(file, &buffer, buffer.count)
        guard length > 0 else { return nil }
        // The name stands in parentheses and may hold anything.
        guard let end = buffer[..<length].lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = buffer[(end + 1)..<length].split(separator: UInt8(ascii: " "))
        // Fields from the third on: state, …, flags (9), …, start time (22).
        guard fields.count > 19, let state = fields[0].first, let flags = Self.number(fields[6]),
            let startTime = Self.number(fields[19])
        else { return nil }
        self.isEnding = state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") || flags & Self.exitingFlag != 0
        self.startTime = startTime
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        UInt64(String(decoding: digits, as: UTF8.self))
    }
}
