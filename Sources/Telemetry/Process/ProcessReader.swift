// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// What Linux tells about the own process, from /proc.
struct ProcessReader: Sendable {
    /// One reading; members that could not be read are nil.
    struct Reading: Sendable, Equatable {
        var residentBytes: Int?
        var virtualBytes: Int?
        var cpuSeconds: Double?
        /// Since 1970.
        var startSeconds: Double?
    }

    private let ticksPerSecond: Double
    private let pageBytes: Int
    /// When the machine started, seconds since 1970.
    private let bootSeconds: Double?

    init() {
        self.ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        self.pageBytes = max(1, sysconf(Int32(_SC_PAGESIZE)))
        self.bootSeconds = Self.bootSeconds(inStat: Self.contents("/proc/stat"))
    }

    init(ticksPerSecond: Double, pageBytes: Int, bootSeconds: Double?) {
        self.ticksPerSecond = ticksPerSecond
        self.pageBytes = pageBytes
        self.bootSeconds = bootSeconds
    }

    func read() -> Reading { self.reading(ofStat: Self.contents("/proc/self/stat")) }

    /// Takes the text of /proc/self/stat, whose second field may hold spaces and parentheses.
    func reading(ofStat text: String) -> Reading {
        guard let end = text.lastIndex(of: ")") else { return Reading() }
        // Field 3 of proc(5) is the first of these.
        let fields = text[text.index(after: end)...].split(separator: " ").map { Int($0) }
        func field(_ number: Int) -> Int? { fields.indices.contains(number - 3) ? fields[number - 3] : nil }
        var reading = Reading()
        if let user = field(14), let system = field(15) {
            reading.cpuSeconds = (Double(user) + Double(system)) / self.ticksPerSecond
        }
        if let ticks = field(22), let boot = self.bootSeconds {
            reading.startSeconds = boot + Double(ticks) / self.ticksPerSecond
        }
        reading.virtualBytes = field(23)
        reading.residentBytes = field(24).map { $0.multipliedReportingOverflow(by: self.pageBytes).partialValue }
        return reading
    }

    /// The `btime` line of /proc/stat.
    static func bootSeconds(inStat text: String) -> Double? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }

    /// How many descriptors are open; nil when that cannot be read.
    static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // `.`, `..` and the descriptor of this listing are not the process' own.
        return max(0, count - 3)
    }

    /// The soft limit of open descriptors; nil when there is none.
    static func descriptorLimit() -> Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return limit.rlim_cur == UInt.max ? .infinity : Double(limit.rlim_cur)
    }

    private static func contents(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        // /proc/stat grows with the processors; a megabyte is far beyond any.
        while bytes.count < 1 << 20 {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
