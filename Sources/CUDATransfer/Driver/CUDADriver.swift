// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes

/// NVIDIA's driver library, opened at run time and never closed. Any thread.
package final class CUDADriver: @unchecked Sendable {  // the table is filled before anybody sees it
    let calls: UnsafePointer<lmc_cuda_calls>
    /// 1000 × major + 10 × minor.
    let version: Int

    /// What virtual memory and the interface of the copies need. The kernels' PTX may ask for a later one, which is
    /// noticed when they are loaded.
    static let oldestVersion = 11_040
    static let defaultPath = "libcuda.so.1"

    /// Loads the library and starts it. Makes no context.
    convenience init(path: String) throws(CUDAFailure) {
        var reason = [CChar](repeating: 0, count: 512)
        let library = path.withCString { name in
            reason.withUnsafeMutableBufferPointer { lmc_cuda_open_library(name, $0.baseAddress, $0.count) }
        }
        guard let library else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw .noDriver(path: path, reason: String(decoding: text, as: UTF8.self))
        }
        try self.init(resolver: lmc_cuda_library_symbol, library: library)
    }

    /// Starts a driver whose symbols a function finds.
    package init(
        finding resolver:
            @escaping @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?)
            -> UnsafeMutableRawPointer?
    ) throws {
        let (calls, version) = try Self.start(resolver, library: nil)
        self.calls = calls
        self.version = version
    }

    private init(
        resolver:
            @escaping @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?)
            -> UnsafeMutableRawPointer?, library: UnsafeMutableRawPointer
    ) throws(CUDAFailure) {
        let (calls, version) = try Self.start(resolver, library: library)
        self.calls = calls
        self.version = version
    }

    private static func start(
        _ resolver:
            @escaping @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?)
            -> UnsafeMutableRawPointer?, library: UnsafeMutableRawPointer?
    ) throws(CUDAFailure) -> (UnsafePointer<lmc_cuda_calls>, Int) {
        let table = UnsafeMutablePointer<lmc_cuda_calls>.allocate(capacity: 1)
        table.initialize(to: lmc_cuda_calls())
        do throws(CUDAFailure) {
            if let missing = lmc_cuda_find(table, resolver, library) {
                throw .missingSymbol(String(cString: missing))
            }
            try Self.check(table, "cuInit", lmc_cuda_init(table, 0))
            var version: Int32 = 0
            try Self.check(table, "cuDriverGetVersion", lmc_cuda_driver_version(table, &version))
            guard version >= Self.oldestVersion else { throw .oldDriver(version: Int(version)) }
            return (UnsafePointer(table), Int(version))
        } catch {
            table.deallocate()
            throw error
        }
    }

    /// Throws unless the call succeeded.
    func check(_ call: String, _ code: Int32) throws(CUDAFailure) { try Self.check(self.calls, call, code) }

    private static func check(
        _ calls: UnsafePointer<lmc_cuda_calls>, _ call: String, _ code: Int32
    ) throws(CUDAFailure) {
        guard code != CUDACode.success else { return }
        var text: UnsafePointer<CChar>?
        let isNamed = calls.pointee.error_name != nil && lmc_cuda_error_name(calls, code, &text) == 0
        let name = isNamed ? text.map { String(cString: $0) } : nil
        throw .call(call, code: code, name: name ?? "error")
    }
}

/// The devices that a driver sees.
extension CUDADriver {
    struct Device {
        let handle: Int32
        /// Lower case, `8-4-4-4-12`, without a prefix.
        let uuid: String
        let name: String
    }

    /// Finds a device by its UUID, with or without `GPU-`.
    func device(uuid wanted: String) throws(CUDAFailure) -> Device? {
        let wanted = Self.normalised(wanted)
        return try self.devices().first { $0.uuid == wanted }
    }

    func devices() throws(CUDAFailure) -> [Device] {
        var count: Int32 = 0
        try self.check("cuDeviceGetCount", lmc_cuda_device_count(self.calls, &count))
        var devices: [Device] = []
        for ordinal in 0..<max(0, count) {
            var handle: Int32 = 0
            try self.check("cuDeviceGet", lmc_cuda_device(self.calls, &handle, ordinal))
            var uuid = lmc_cu_uuid()
            try self.check("cuDeviceGetUuid", lmc_cuda_device_uuid(self.calls, &uuid, handle))
            let bytes = withUnsafeBytes(of: &uuid) { Array($0) }
            devices.append(Device(handle: handle, uuid: Self.text(uuid: bytes), name: try self.name(of: handle)))
        }
        return devices
    }

    private func name(of device: Int32) throws(CUDAFailure) -> String {
        var text = [CChar](repeating: 0, count: 128)
        try self.check("cuDeviceGetName", lmc_cuda_device_name(self.calls, &text, Int32(text.count - 1), device))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The device's place on the bus, as `0000:1b:00.0`; nil where the driver does not say.
    func busID(of device: Device) -> String? {
        var text = [CChar](repeating: 0, count: 32)
        let code = lmc_cuda_device_bus_id(self.calls, &text, Int32(text.count - 1), device.handle)
        guard code == CUDACode.success else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }

    static func normalised(_ uuid: String) -> String {
        let lower = uuid.lowercased()
        return lower.hasPrefix("gpu-") ? String(lower.dropFirst(4)) : lower
    }

    static func text(uuid bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension lmc_cu_handle {
    /// Nil unless there are 64 bytes.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 64 else { return nil }
        self.init()
        let copy = Array(bytes)
        withUnsafeMutableBytes(of: &self) { $0.copyBytes(from: copy) }
    }

    var array: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}
